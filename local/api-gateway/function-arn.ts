const integrationUri = /^arn:[^:]+:apigateway:[^:]*:lambda:path\/[^/]+\/functions\/(.+)\/invocations$/;
const functionArn = /^arn:[^:]+:lambda:[^:]*:[^:]*:function:.+$/;

/** The function an integration or authorizer URI names; `undefined` when it names none. */
export function functionArnOf(uri: string): string | undefined {
  const wrapped = integrationUri.exec(uri)?.[1];
  if (wrapped !== undefined) return wrapped;
  return functionArn.test(uri) ? uri : undefined;
}
