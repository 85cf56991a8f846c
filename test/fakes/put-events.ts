/** The HTTP endpoint of EventBridge as far as PutEvents goes, with failures on demand. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PutEntry {
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: string;
  readonly EventBusName: string;
  readonly Time: number;
}

export interface AcceptedEvent {
  readonly source: string;
  readonly detailType: string;
  readonly busName: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What becomes of an entry, or of a whole call. */
export type Verdict = { readonly kind: 'accept' } | { readonly kind: 'reject'; readonly code: string };

export interface PutEventsEndpoint {
  readonly url: string;
  /** Events accepted, in order. */
  readonly accepted: readonly AcceptedEvent[];
  /** Entries per call, in order, whatever became of them. */
  readonly calls: readonly (readonly PutEntry[])[];
  /** Decides for each entry from now on. */
  judgeEntries(judge: (entry: PutEntry) => Verdict): void;
  /** Decides for each call from now on: a rejection is an HTTP error with that code. */
  judgeCalls(judge: (entries: readonly PutEntry[]) => Verdict): void;
  /** Answers come this much later, ms. */
  delay(ms: number): void;
  close(): Promise<void>;
}

const ACCEPT: Verdict = { kind: 'accept' };

const acceptedOf = (entry: PutEntry): AcceptedEvent => ({
  source: entry.Source,
  detailType: entry.DetailType,
  busName: entry.EventBusName,
  detail: JSON.parse(entry.Detail) as Record<string, unknown>,
});

/** Starts on 127.0.0.1, any free port. */
export const startPutEventsEndpoint = async (): Promise<PutEventsEndpoint> => {
  const accepted: AcceptedEvent[] = [];
  const calls: PutEntry[][] = [];
  let judgeEntry: (entry: PutEntry) => Verdict = () => ACCEPT;
  let judgeCall: (entries: readonly PutEntry[]) => Verdict = () => ACCEPT;
  let delayMs = 0;

  const answer = (entry: PutEntry, index: number): Record<string, string> => {
    const verdict = judgeEntry(entry);
    if (verdict.kind === 'reject') return { ErrorCode: verdict.code, ErrorMessage: 'as told' };
    accepted.push(acceptedOf(entry));
    return { EventId: `${calls.length}-${index}` };
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { Entries } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { Entries: PutEntry[] };
      calls.push(Entries);
      const verdict = judgeCall(Entries);
      const reply = (): void => {
        response.setHeader('content-type', 'application/x-amz-json-1.1');
        if (verdict.kind === 'reject') {
          response.writeHead(400).end(JSON.stringify({ __type: verdict.code, message: 'as told' }));
          return;
        }
        const answers = Entries.map(answer);
        const FailedEntryCount = answers.filter((a) => 'ErrorCode' in a).length;
        response.writeHead(200).end(JSON.stringify({ FailedEntryCount, Entries: answers }));
      };
      setTimeout(reply, delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted,
    calls,
    judgeEntries: (judge) => (judgeEntry = judge),
    judgeCalls: (judge) => (judgeCall = judge),
    delay: (ms) => (delayMs = ms),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
