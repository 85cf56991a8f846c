import * as z from 'zod';
import type { AwsPlace, ProvisionedResource, ResourceRequest } from '../contract.ts';
import { parseFunctionReference, parseProperties } from './function-definition.ts';

const versionSchema = z.object({ FunctionName: z.string() });
const aliasSchema = z.object({ FunctionName: z.string(), Name: z.string() });

/** A version runs the only code there is. */
export function provideVersion(request: ResourceRequest, place: AwsPlace): ProvisionedResource {
  const arn = functionArn(parseProperties(versionSchema, request).FunctionName, place);
  return { ref: `${arn}:1`, attributes: { Version: '1', FunctionArn: `${arn}:1` } };
}

/** An alias runs the only code there is, whatever version it points to. */
export function provideAlias(request: ResourceRequest, place: AwsPlace): ProvisionedResource {
  const { FunctionName, Name } = parseProperties(aliasSchema, request);
  const arn = `${functionArn(FunctionName, place)}:${Name}`;
  return { ref: arn, attributes: { AliasArn: arn } };
}

function functionArn(reference: string, { region, accountId }: AwsPlace): string {
  return `arn:aws:lambda:${region}:${accountId}:function:${parseFunctionReference(reference).name}`;
}
