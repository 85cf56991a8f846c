/** Which of the prompts that ComfyUI talks about are jobs of this worker. */
import type { Job } from './job.ts';
import type { MonitorState } from './monitor-state.ts';

/** The one own prompt that runs; undefined when there is none, or more than one. */
export const onlyRunningPrompt = (jobs: ReadonlyMap<string, Job>): string | undefined => {
  const running = [...jobs.values()].filter(
    (job) => job.ownership === 'ours' && job.phase.kind === 'running',
  );
  return running.length === 1 ? running[0]?.promptId : undefined;
};

export type PromptOwner =
  | { readonly kind: 'job'; readonly jobId: string; readonly attempt: number }
  /** /queue has yet to say whose it is. */
  | { readonly kind: 'undecided' }
  /** Somebody else's, or over. */
  | { readonly kind: 'none' };

export const ownerOf = ({ jobs, foreign, finished }: MonitorState, promptId: string): PromptOwner => {
  const job = jobs.get(promptId);
  if (job === undefined)
    return { kind: foreign.has(promptId) || finished.has(promptId) ? 'none' : 'undecided' };
  if (job.phase.kind === 'ending' || job.phase.kind === 'closed') return { kind: 'none' };
  const { ownership, identity } = job;
  return ownership === 'ours' && identity !== undefined
    ? { kind: 'job', ...identity }
    : { kind: 'undecided' };
};
