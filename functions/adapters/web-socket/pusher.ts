/** Sends to browsers through API Gateway's management API of the WebSocket stage. */
import {
  ApiGatewayManagementApiClient,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import type { Pusher } from '../../core/ports.ts';

/** Seed 003 names the endpoint as browsers see it (`wss://`); the management API is the same address over HTTP. */
export const managementEndpoint = (webSocketApiEndpoint: string): string =>
  webSocketApiEndpoint.replace(/^ws(s?):/, 'http$1:');

export interface PusherOptions {
  readonly webSocketApiEndpoint: string;
  /** Milliseconds for one send, repetitions apart; 3 s by default. */
  readonly timeoutMs?: number;
}

export const createPusher = ({ webSocketApiEndpoint, timeoutMs = 3000 }: PusherOptions): Pusher => {
  const client = new ApiGatewayManagementApiClient({
    endpoint: managementEndpoint(webSocketApiEndpoint),
    maxAttempts: 4,
    // A follower that hangs must not hold the event that all others wait for.
    requestHandler: { connectionTimeout: 1000, requestTimeout: timeoutMs, throwOnRequestTimeout: true },
  });
  return {
    send: async (connectionId, message) => {
      try {
        await client.send(
          new PostToConnectionCommand({
            ConnectionId: connectionId,
            Data: Buffer.from(JSON.stringify(message)),
          }),
        );
        return 'sent';
      } catch (error) {
        if (error instanceof GoneException) return 'gone';
        throw error;
      }
    },
  };
};
