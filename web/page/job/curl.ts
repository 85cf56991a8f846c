/** A task as a command line that submits it again. */

/** Between single quotes a shell takes everything as it is, but a single quote. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export interface CurlOptions {
  readonly apiUrl: string;
  readonly workflowId: string;
  /** The workflow as JSON text. */
  readonly payload: string;
  /** The key itself is never put into it. */
  readonly withKey: boolean;
}

export const curlOf = ({ apiUrl, workflowId, payload, withKey }: CurlOptions): string => {
  const body = `{"workflow_id":${JSON.stringify(workflowId)},"payload":${payload}}`;
  const key = withKey ? ['  -H "Authorization: Bearer $COMFY_API_KEY" \\'] : [];
  return [
    `curl -X POST ${quoted(`${apiUrl.replace(/\/+$/, '')}/api/v1/tasks`)} \\`,
    ...key,
    `  -H 'content-type: application/json' \\`,
    `  --data-raw ${quoted(body)}`,
  ].join('\n');
};
