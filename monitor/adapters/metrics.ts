/** Counters and gauges in Prometheus' text format. Whatever the monitor drops, it counts here. */

const PREFIX = 'comfyui_monitor_';

const HELP = {
  events_published_total: 'Events accepted by EventBridge.',
  events_superseded_total: 'Snapshots replaced by a newer one before they were sent.',
  events_quarantined_total: 'Events that EventBridge will never accept.',
  events_dropped_total: 'Transient events dropped because the queue was full.',
  publish_failures_total: 'Entries of PutEvents that were not accepted.',
  publish_retries_total: 'Entries sent again.',
  frames_total: 'Frames received, by type.',
  frames_invalid_total: 'Frames that could not be read.',
  frames_coalesced_total: 'Progress frames replaced by a newer one before they were parsed.',
  frames_quarantined_total: 'Frames, REST answers and moments (tick) whose handling threw, by type.',
  frames_repaired_total: 'Frames with NaN or Infinity.',
  socket_connects_total: 'WebSocket connections opened.',
  socket_closes_total: 'WebSocket connections closed.',
  polls_total: 'REST reads, by kind.',
  poll_failures_total: 'REST reads that failed, by reason.',
  previews_sent_total: 'Pictures while sampling that were handed to the control plane.',
  previews_shrunk_total: 'Pictures while sampling that were made smaller, to 24 KB at most.',
  preview_questions_total: 'Questions, without a picture, whether anybody watches.',
  previews_dropped_total: 'Pictures while sampling that were not sent, by reason.',
  preview_failures_total: 'Calls of the preview function that failed, by the name of the error.',
  notices_total: 'What the core skipped, dropped or noticed, by name.',
  spool_errors_total: 'Spool writes that failed.',
  spool_skipped_lines_total: 'Spool lines that could not be read.',
  spool_depth: 'Events written to the spool and not yet accepted.',
  queue_depth: 'Events waiting to be sent.',
} as const;

export type MetricName = keyof typeof HELP;
type CounterName = Exclude<MetricName, 'spool_depth' | 'queue_depth'>;

/** Types of custom nodes are anyone's words: only so many of them become labels. */
const MAX_LABELS = 100;

export interface Metrics {
  add(name: CounterName, label?: string, amount?: number): void;
  set(name: 'spool_depth' | 'queue_depth', value: number): void;
  /** Sum over all labels, or of one. */
  value(name: MetricName, label?: string): number;
  render(): string;
}

const labelText = (label: string): string =>
  label === '' ? '' : `{kind="${label.replace(/[^A-Za-z0-9 ._-]/g, '_').slice(0, 64)}"}`;

export const createMetrics = (): Metrics => {
  const series = new Map<MetricName, Map<string, number>>();
  const of = (name: MetricName): Map<string, number> => {
    const labels = series.get(name) ?? new Map<string, number>();
    series.set(name, labels);
    return labels;
  };
  return {
    add: (name, label = '', amount = 1) => {
      const labels = of(name);
      const key = labels.has(label) || labels.size < MAX_LABELS ? label : 'other';
      labels.set(key, (labels.get(key) ?? 0) + amount);
    },
    set: (name, value) => void of(name).set('', value),
    value: (name, label) =>
      label === undefined ? [...of(name).values()].reduce((a, b) => a + b, 0) : (of(name).get(label) ?? 0),
    render: () =>
      (Object.keys(HELP) as MetricName[])
        .flatMap((name) => [
          `# HELP ${PREFIX}${name} ${HELP[name]}`,
          `# TYPE ${PREFIX}${name} ${name.endsWith('_total') ? 'counter' : 'gauge'}`,
          ...[...(of(name).size === 0 ? new Map([['', 0]]) : of(name))].map(
            ([label, value]) => `${PREFIX}${name}${labelText(label)} ${value}`,
          ),
        ])
        .join('\n')
        .concat('\n'),
  };
};
