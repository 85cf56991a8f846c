import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { once } from 'node:events';
import { EmbeddedAwsError } from '../contract.ts';
import type { GatewayLimits } from './api-model.ts';

/** Opens a loopback listener whose slow and oversized requests end by themselves. */
export async function openListener(
  apiName: string,
  port: number,
  limits: GatewayLimits,
  handler: RequestListener,
): Promise<{ readonly server: Server; readonly port: number }> {
  // Names count against Node's limit but not against the quota: the quota itself is checked per request.
  const options = {
    maxHeaderSize: limits.httpHeaderBytes * 2,
    headersTimeout: 10_000,
    connectionsCheckingInterval: 2_000,
  };
  const server = createServer(options, handler);
  // The body has a deadline of its own; Node's must not cut a long integration's request short.
  server.requestTimeout = 0;
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    const problem = `API ${apiName} cannot listen on 127.0.0.1:${port}: ${String(error)}; choose another port`;
    throw new EmbeddedAwsError('PortUnavailable', problem, { cause: error });
  }
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : port };
}

/** Stops accepting and drops what is still open. */
export async function closeListener(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
