/** One life of the simulated server: everything a crash would take away, and the worker that runs the queue. */
import { Interrupted, RunAborted } from './errors.ts';
import { ExecutionCache } from './execution-cache.ts';
import type { FailurePlan, PlannedFailure } from './failure-plan.ts';
import { loadCatalogue } from './node-catalogue.ts';
import type { Folders } from './output-files.ts';
import { PromptQueue } from './prompt-queue.ts';
import type { QueueItem } from './prompt-queue.ts';
import { PromptRun } from './prompt-run.ts';
import type { RunEnvironment, RunSettings } from './run-environment.ts';
import { SocketHub } from './socket-hub.ts';
import type { StepHold } from './step-hold.ts';

export type Log = (event: string, details?: object) => void;

export interface PodOptions extends RunSettings {
  readonly folders: Folders;
  readonly hold: StepHold;
  /** Between `execution_success` and the history entry, in milliseconds. */
  readonly historyDelayMs: number;
  readonly now: () => number;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly random: () => number;
  readonly log: Log;
  /** Takes the whole server down. */
  readonly onCrash: (restartAfterMs: number | undefined) => void;
}

export class Pod {
  readonly queue = new PromptQueue();
  readonly failures: FailurePlan;
  readonly interrupt = { requested: false };
  readonly hub: SocketHub;
  readonly options: PodOptions;
  readonly catalogue = loadCatalogue();
  private readonly cache = new ExecutionCache();
  private readonly lifetime = new AbortController();
  private readonly tempPrefix: string;
  private running: { clientId: unknown; displayId: string | null } | undefined;
  private worker: Promise<void> = Promise.resolve();

  constructor(options: PodOptions, failures: FailurePlan) {
    this.options = options;
    this.failures = failures;
    this.tempPrefix = `ComfyUI_temp_${randomLetters(options.random, 5)}`;
    this.hub = new SocketHub({
      queueRemaining: () => this.queue.remaining,
      runningNodeOf: (clientId) => this.runningNodeOf(clientId),
      log: options.log,
    });
  }

  startWorker(): void {
    this.worker = this.work();
  }

  private runningNodeOf(clientId: string): string | null {
    return this.running?.clientId === clientId ? this.running.displayId : null;
  }

  enqueue(item: QueueItem): { duplicate: boolean } {
    const result = this.queue.put(item);
    this.hub.broadcastStatus();
    return result;
  }

  private async work(): Promise<void> {
    const { signal } = this.lifetime;
    for (let item = await this.queue.take(signal); item; item = await this.queue.take(signal)) {
      this.hub.broadcastStatus();
      try {
        await this.runOne(item);
      } catch (error) {
        if (!(error instanceof RunAborted)) this.options.log('workerDied', { message: String(error) });
        return;
      }
    }
  }

  private async runOne(item: QueueItem): Promise<void> {
    this.running = { clientId: item.extraData['client_id'], displayId: null };
    const run = new PromptRun(item, this.environment());
    const entry = await run.run();
    if (this.options.historyDelayMs > 0) {
      await this.options.sleep(this.options.historyDelayMs, this.lifetime.signal);
    }
    if (this.lifetime.signal.aborted) throw new RunAborted();
    this.queue.finish(entry);
    this.running = undefined;
    this.hub.broadcastStatus();
    run.reporter.ended();
  }

  private environment(): RunEnvironment {
    const { options } = this;
    return {
      catalogue: this.catalogue,
      cache: this.cache,
      hub: this.hub,
      folders: options.folders,
      settings: options,
      tempPrefix: this.tempPrefix,
      failures: this.failures,
      hold: options.hold,
      interrupt: this.interrupt,
      signal: this.lifetime.signal,
      now: options.now,
      sleep: options.sleep,
      onNode: (displayId) => {
        if (this.running) this.running.displayId = displayId;
      },
      strike: (failure) => this.strike(failure),
    };
  }

  private strike(failure: PlannedFailure): void {
    switch (failure.kind) {
      case 'crash':
        this.options.onCrash(failure.restartAfterMs);
        return;
      case 'worker-dead':
        this.killWorker();
        return;
      case 'drop-socket':
        this.hub.dropAll();
        return;
      case 'stall':
        this.hub.stall(true);
        return;
      case 'execution_error':
      case 'oom':
        return;
      case 'interrupt':
        throw new Interrupted();
    }
  }

  /** The running prompt ends at its next step, also where a hold keeps it from taking one. */
  interruptRun(): void {
    this.interrupt.requested = true;
    this.options.hold.lookAgain();
  }

  /** The queue stands still from now on, the running prompt runs "for ever"; HTTP goes on as if nothing were. */
  killWorker(): void {
    this.lifetime.abort();
  }

  /** Ends the worker and cuts all sockets. Resolves when nothing of this life runs any more. */
  async stop(): Promise<void> {
    this.lifetime.abort();
    this.hub.reset();
    await this.worker;
  }
}

function randomLetters(random: () => number, count: number): string {
  return Array.from({ length: count }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('');
}
