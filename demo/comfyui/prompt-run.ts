/** Runs one prompt from its first frame to its outcome. */
import { Interrupted, NodeFailure, RunAborted } from './errors.ts';
import type { CachedNode } from './execution-cache.ts';
import { signPrompt } from './execution-cache.ts';
import { ExecutionList } from './execution-list.ts';
import type { PlannedFailure } from './failure-plan.ts';
import type { NodeContext, NodeResult, StepOptions } from './node-class.ts';
import type { NodeIdentity } from './node-progress.ts';
import { outOfMemory } from './nodes/pixel-tools.ts';
import { encodePng } from './png.ts';
import type { HistoryEntry, QueueItem } from './prompt-queue.ts';
import type { JsonObject } from './python-json.ts';
import type { RunEnvironment } from './run-environment.ts';
import { RunGraph } from './run-graph.ts';
import { RunReporter } from './run-reporter.ts';
import { describeValue, metaOf, pngTexts, toNodeFailure } from './run-values.ts';
import { isBlocked } from './values.ts';

/** An error together with the node it came from. */
class StoppedAt extends Error {
  readonly nodeId: string;
  readonly reason: unknown;
  constructor(nodeId: string, reason: unknown) {
    super('stopped');
    this.nodeId = nodeId;
    this.reason = reason;
  }
}

export class PromptRun {
  readonly reporter: RunReporter;
  private readonly env: RunEnvironment;
  private readonly item: QueueItem;
  private readonly outputs = new Map<string, unknown>();
  private readonly meta = new Map<string, JsonObject>();
  private readonly flights = new Set<Promise<void>>();
  private readonly pngTexts: ReadonlyMap<string, string>;
  private signatures: ReadonlyMap<string, string> = new Map();
  private graph: RunGraph;
  private list: ExecutionList;
  private planned: PlannedFailure | undefined;
  private stepsBegun = 0;
  private stepsReported = 0;
  private lastPreviewAt = Number.NEGATIVE_INFINITY;

  constructor(item: QueueItem, env: RunEnvironment) {
    this.item = item;
    this.env = env;
    this.reporter = new RunReporter(item, env.hub, () => env.now());
    this.graph = new RunGraph(item.prompt, env.catalogue, new Map());
    this.list = new ExecutionList(this.graph);
    this.pngTexts = pngTexts(item);
    this.planned = env.failures.takeRun();
  }

  /** @returns what the history will hold. @throws RunAborted when the pod goes away meanwhile. */
  async run(): Promise<HistoryEntry> {
    this.env.interrupt.requested = false;
    this.reporter.started();
    await this.lookUpCache();
    for (const id of this.item.outputs) this.list.add(id);
    try {
      await this.runAll();
      this.reporter.succeeded();
      return this.entry(true);
    } catch (error) {
      await Promise.allSettled(this.flights);
      this.reportStop(error);
      return this.entry(false);
    }
  }

  private async lookUpCache(): Promise<void> {
    const { cache, catalogue, folders } = this.env;
    this.signatures = await signPrompt(this.item.prompt, catalogue, folders);
    cache.keepOnly(new Set(this.signatures.values()));
    const found = new Map<string, CachedNode>();
    for (const id of Object.keys(this.item.prompt)) {
      const node = cache.get(this.signatures.get(id) ?? '');
      if (node) found.set(id, node);
    }
    this.graph = new RunGraph(this.item.prompt, catalogue, found);
    this.list = new ExecutionList(this.graph);
    this.reporter.cached([...found.keys()]);
  }

  private async runAll(): Promise<void> {
    while (this.list.size > 0) {
      const id = this.list.pick();
      if (id !== undefined) await this.visit(id);
      else if (this.flights.size > 0) await Promise.race(this.flights);
      else
        throw new StoppedAt(this.item.outputs[0] ?? '', new NodeFailure('DependencyCycleError', 'a cycle'));
    }
    if (this.planned) this.at(this.item.outputs[0] ?? '', () => this.strikeNow());
  }

  private at(nodeId: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      throw new StoppedAt(nodeId, error);
    }
  }

  private async visit(id: string): Promise<void> {
    const cached = this.graph.cached.get(id);
    const expanded = this.graph.expandedOutputs(id);
    if (cached) this.replay(id, cached);
    else if (expanded) this.settle(id, { outputs: expanded });
    else await this.start(id);
  }

  /** A cached output node only repeats what it said before; with no client it is left out, as in 0.3.64. */
  private replay(id: string, cached: CachedNode): void {
    const node = this.graph.identity(id);
    if (this.reporter.client !== null && cached.ui) {
      this.reporter.nodeExecuted(node, cached.ui);
      this.outputs.set(id, cached.ui);
      this.meta.set(id, cached.meta);
    }
    this.reporter.nodeFinished(node);
    this.list.complete(id);
  }

  private async start(id: string): Promise<void> {
    const node = this.graph.identity(id);
    this.reporter.nodeStarted(node);
    this.env.onNode(node.displayId);
    if (this.waitForLazyInputs(id)) return;
    const flight = this.execute(id, node);
    if (!this.graph.isConcurrent(id)) {
      await flight;
      return;
    }
    this.list.hold(id);
    const tracked = flight.finally(() => this.flights.delete(tracked));
    // Whoever races the flights sees the error; this only keeps it from counting as unhandled meanwhile.
    tracked.catch(() => undefined);
    this.flights.add(tracked);
  }

  private waitForLazyInputs(id: string): boolean {
    const names = this.graph.entry(id)?.node.neededInputs?.(this.graph.inputs(id)) ?? [];
    const missing = this.graph.missing(id, names);
    for (const link of missing) this.list.require(id, link.nodeId);
    return missing.length > 0;
  }

  private async execute(id: string, node: NodeIdentity): Promise<void> {
    try {
      const inputs = this.graph.inputs(id);
      this.throwIfInterrupted();
      const entry = this.graph.entry(id);
      const block = [...inputs.values()].find(isBlocked);
      if (!entry) throw new NodeFailure('KeyError', `no class for node ${id}`);
      if (block) {
        if (block.message !== null) this.reporter.blocked(node, entry.className, block.message);
        this.settle(id, { outputs: entry.outputs.map(() => ({ kind: 'blocked', message: null })) });
        return;
      }
      if (entry.isOutput) this.strikeNow();
      this.settle(id, await entry.node.run(inputs, this.context(node)));
    } catch (error) {
      throw new StoppedAt(id, error);
    }
  }

  private settle(id: string, result: NodeResult): void {
    if (this.env.signal.aborted) throw new RunAborted();
    if (result.expand) {
      for (const link of this.graph.expand(id, result.expand)) this.list.require(id, link.nodeId);
      this.list.release(id);
      return;
    }
    const node = this.graph.identity(id);
    this.remember(id, node, result);
    this.reporter.nodeFinished(node);
    this.list.complete(id);
  }

  private remember(id: string, node: NodeIdentity, result: NodeResult): void {
    const outputs = result.outputs ?? [];
    const meta = metaOf(node);
    this.graph.setOutputs(id, outputs);
    this.reporter.executed.push(id);
    const signature = this.signatures.get(id);
    if (signature !== undefined) this.env.cache.set(signature, { outputs, ui: result.ui ?? null, meta });
    if (!result.ui) return;
    this.outputs.set(id, result.ui);
    this.meta.set(id, meta);
    this.reporter.nodeExecuted(node, result.ui);
  }

  private context(node: NodeIdentity): NodeContext {
    const { env } = this;
    return {
      nodeId: node.nodeId,
      folders: env.folders,
      pngTexts: this.pngTexts,
      tempPrefix: env.tempPrefix,
      modelLoadDelayMs: env.settings.modelLoadDelayMs,
      stepDelayMs: env.settings.stepDelayMs,
      sleep: (milliseconds) => this.pause(milliseconds),
      step: (value, max, options) => this.step(node, value, max, options ?? {}),
      sendFinalImage: (png) => this.reporter.sendImage(png),
    };
  }

  private async step(node: NodeIdentity, value: number, max: number, options: StepOptions): Promise<void> {
    await this.pause(options.delayMs ?? this.env.settings.stepDelayMs);
    await this.passHold();
    this.throwIfInterrupted();
    this.stepsBegun += 1;
    const preview = this.wantsPreview(options) ? await encodePng(options.preview()) : null;
    this.reporter.step(node, value, max, preview);
    this.stepsReported += 1;
    if (this.planned && this.stepsReported >= this.planned.afterSteps) this.strikeNow();
    await this.passHold();
  }

  private passHold(): Promise<void> {
    const { hold, interrupt, signal } = this.env;
    const steps = (): number => this.stepsBegun;
    return hold.pass(steps, () => interrupt.requested, signal);
  }

  private wantsPreview(
    options: StepOptions,
  ): options is StepOptions & Required<Pick<StepOptions, 'preview'>> {
    const { previews, previewIntervalMs } = this.env.settings;
    if (!previews || !options.preview || !this.env.hub.hasReceiver(this.reporter.client)) return false;
    const now = this.env.now();
    if (now - this.lastPreviewAt < previewIntervalMs) return false;
    this.lastPreviewAt = now;
    return true;
  }

  private async pause(milliseconds: number): Promise<void> {
    await this.env.sleep(milliseconds, this.env.signal);
    if (this.env.signal.aborted) throw new RunAborted();
  }

  private throwIfInterrupted(): void {
    if (this.env.signal.aborted) throw new RunAborted();
    if (this.env.interrupt.requested) throw new Interrupted();
  }

  private strikeNow(): void {
    const failure = this.planned;
    this.planned = undefined;
    if (!failure) return;
    if (failure.kind === 'interrupt') throw new Interrupted();
    if (failure.kind === 'oom') throw outOfMemory('The demo pod was told to run out of it.');
    if (failure.kind === 'execution_error')
      throw new NodeFailure('RuntimeError', 'the demo pod was told to fail');
    this.env.strike(failure);
    if (this.env.signal.aborted) throw new RunAborted();
  }

  private reportStop(error: unknown): void {
    if (!(error instanceof StoppedAt)) throw error;
    if (error.reason instanceof RunAborted) throw error.reason;
    const node = this.graph.identity(error.nodeId);
    const type = this.graph.className(error.nodeId);
    if (error.reason instanceof Interrupted) this.reporter.interrupted(node, type);
    else
      this.reporter.failed(
        node,
        type,
        toNodeFailure(error.reason),
        this.currentInputs(error.nodeId),
        this.known(),
      );
  }

  private currentInputs(id: string): JsonObject {
    const entries = [...this.graph.inputs(id)].map(
      ([name, value]) => [name, [describeValue(value)]] as const,
    );
    return Object.fromEntries(entries);
  }

  private known(): string[] {
    return Object.keys(this.item.prompt);
  }

  private entry(success: boolean): HistoryEntry {
    return {
      item: this.item,
      outputs: this.outputs,
      meta: this.meta,
      status: {
        status_str: success ? 'success' : 'error',
        completed: success,
        messages: this.reporter.messages,
      },
    };
  }
}
