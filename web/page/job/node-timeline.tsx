/** When each node ran, and for how long. */
import type { ReactElement } from 'react';
import type { TimelineEntry } from '../api/read-answers.ts';
import { durationText } from '../ui/format.ts';
import { attemptBars, waitedMs, type AttemptBars, type Bar } from './node-bars.ts';

const STATE_NAMES: Readonly<Record<Bar['state'], string>> = {
  waiting: 'waiting',
  running: 'running',
  done: '',
  cached: 'from the cache',
  failed: 'failed',
  storing: '',
};

const percentOf = (part: number, whole: number): number =>
  whole <= 0 ? 0 : Math.min(100, (part / whole) * 100);

const BarRow = ({ bar, attempt }: { readonly bar: Bar; readonly attempt: AttemptBars }): ReactElement => {
  const span = attempt.to - attempt.from;
  const left = percentOf(bar.from - attempt.from, span);
  const width = Math.min(100 - left, percentOf(bar.to - bar.from, span));
  const state = STATE_NAMES[bar.state];
  return (
    <li className="node-row" data-state={bar.state} data-testid="node-bar">
      <span className="node-name">
        <strong>{bar.name}</strong> <span className="note">{bar.about}</span>
      </span>
      <span className="node-track" aria-hidden="true">
        <span className="node-bar" style={{ left: `${left}%`, width: `${width}%` }} />
      </span>
      <span className="node-time">
        {bar.state === 'cached' ? state : [durationText(bar.durationMs), state].filter(Boolean).join(', ')}
      </span>
    </li>
  );
};

const AttemptTimeline = ({
  attempt,
  named,
}: {
  readonly attempt: AttemptBars;
  readonly named: boolean;
}): ReactElement => (
  <div className="attempt">
    {named && (
      <h3>
        Attempt {attempt.attempt}
        {attempt.workerId !== null && <span className="note"> on {attempt.workerId}</span>}
      </h3>
    )}
    {attempt.bars.length === 0 && <p className="note">No node has begun.</p>}
    <ul className="node-list">
      {attempt.bars.map((bar) => (
        <BarRow key={bar.id} bar={bar} attempt={attempt} />
      ))}
    </ul>
    {attempt.error !== '' && <p className="job-line job-line-failed">{attempt.error}</p>}
  </div>
);

export interface NodeTimelineProps {
  readonly entries: readonly TimelineEntry[];
  readonly now: number;
}

export const NodeTimeline = ({ entries, now }: NodeTimelineProps): ReactElement => {
  const attempts = attemptBars(entries, now);
  const waited = waitedMs(entries, now);
  const [first, last] = [attempts[0], attempts.at(-1)];
  return (
    <section className="card" aria-labelledby="timeline-title">
      <div className="section-head">
        <h2 id="timeline-title">Timeline</h2>
        <span className="note">
          {waited !== undefined && `waited ${durationText(waited)}`}
          {first !== undefined && last !== undefined && ` · ran ${durationText(last.to - first.from)}`}
        </span>
      </div>
      {attempts.length === 0 && <p className="note">It has not been given to a worker yet.</p>}
      {attempts.map((attempt) => (
        <AttemptTimeline key={attempt.attempt} attempt={attempt} named={attempts.length > 1} />
      ))}
    </section>
  );
};
