/** The bus as it is: for whoever builds a consumer. */
import { useState, type ReactElement } from 'react';
import { useActions, useServices } from '../page-services.ts';
import { hrefOf } from '../routing.ts';
import { Icon } from '../ui/icon.tsx';
import { copyText } from '../ui/take-away.ts';
import { matches, NO_FILTER, patternFor, prettyJson, type BusEvent, type EventFilter } from './bus-event.ts';
import { useBusEvents, type BusEvents } from './use-bus-events.ts';
import './events.css';

/** Every detail-type of the contract, in the order of a job's life. */
const DETAIL_TYPES = [
  'Task Submitted',
  'Task Dispatched',
  'Job Started',
  'Node Executing',
  'Node Progress Update',
  'Node Executed',
  'Images Generated',
  'Job Completed',
  'Job Failed',
  'Job Cancelled',
  'Task Retrying',
  'Task Completed',
  'Task Failed',
  'Task Cancelled',
  'Monitor Initialized',
  'Monitor Heartbeat',
  'Monitor Stopped',
];

const CopyButton = ({ what, text }: { readonly what: string; readonly text: () => string }): ReactElement => {
  const { say } = useActions();
  const copy = async (): Promise<void> =>
    say((await copyText(text())) ? `${what} copied` : 'Copying is not allowed here');
  return (
    <button type="button" className="button" onClick={() => void copy()}>
      <Icon name="copy" /> Copy {what}
    </button>
  );
};

const secondsOf = (time: string): string => {
  const at = Date.parse(time);
  return Number.isNaN(at) ? time : new Date(at).toISOString().slice(11, 23);
};

const EventRow = ({ event }: { readonly event: BusEvent }): ReactElement => {
  const [open, setOpen] = useState(false);
  const { jobId } = event;
  return (
    <li className="event" data-testid="event" data-type={event.detailType}>
      <details onToggle={(toggle) => setOpen(toggle.currentTarget.open)}>
        <summary>
          <time dateTime={event.time}>{secondsOf(event.time)}</time>
          <strong>{event.detailType}</strong>
          <span className="event-source">{event.source}</span>
          <span className="event-job">
            {jobId === null ? '' : `job ${jobId.slice(0, 8)} · #${event.sequence ?? '?'}`}
          </span>
        </summary>
        {open && (
          <div className="event-body">
            <div className="event-tools">
              <CopyButton what="JSON" text={() => event.text} />
              <CopyButton what="rule pattern" text={() => patternFor(event)} />
              {jobId !== null && (
                <a className="button" href={hrefOf({ view: 'job', jobId })}>
                  <Icon name="open" /> Open job
                </a>
              )}
            </div>
            <pre className="event-json" tabIndex={0}>
              {prettyJson(event.text)}
            </pre>
          </div>
        )}
      </details>
    </li>
  );
};

interface FiltersProps {
  readonly filter: EventFilter;
  readonly onFilter: (filter: EventFilter) => void;
}

const Filters = ({ filter, onFilter }: FiltersProps): ReactElement => (
  <div className="event-filters" role="search" aria-label="Filter the events">
    <label>
      Detail-type
      <select
        value={filter.detailType}
        onChange={(event) => onFilter({ ...filter, detailType: event.target.value })}
      >
        <option value="">Any</option>
        {DETAIL_TYPES.map((type) => (
          <option key={type}>{type}</option>
        ))}
      </select>
    </label>
    <label>
      Source contains
      <input
        value={filter.source}
        placeholder="comfyui.monitor."
        onChange={(event) => onFilter({ ...filter, source: event.target.value })}
      />
    </label>
    <label>
      Job id contains
      <input value={filter.job} onChange={(event) => onFilter({ ...filter, job: event.target.value })} />
    </label>
  </div>
);

const STATES: Readonly<Record<BusEvents['state'], string>> = {
  connecting: 'Connecting to the bus',
  open: 'Live',
  lost: 'The connection to the bus was lost; trying again',
};

const Inspector = ({ url }: { readonly url: string }): ReactElement => {
  const bus = useBusEvents(url);
  const [filter, setFilter] = useState(NO_FILTER);
  const shown = bus.events.filter((event) => matches(event, filter));
  return (
    <>
      <div className="card">
        <Filters filter={filter} onFilter={setFilter} />
        <div className="event-tools">
          <button type="button" className="button" onClick={() => bus.setPaused(!bus.paused)}>
            <Icon name={bus.paused ? 'play' : 'pause'} /> {bus.paused ? `Go on (${bus.held} held)` : 'Pause'}
          </button>
          <button type="button" className="button" onClick={bus.clear}>
            Clear
          </button>
          <span className="note" role="status">
            {STATES[bus.state]} · {shown.length} of {bus.events.length} events
          </span>
        </div>
      </div>
      {shown.length === 0 && <p className="empty">No event yet. Start a job, and watch it pass by here.</p>}
      <ol className="event-list">
        {shown.map((event) => (
          <EventRow key={event.id} event={event} />
        ))}
      </ol>
    </>
  );
};

const EXAMPLE = `aws events put-rule --event-bus-name <stage>-comfyui-events \\
  --name my-consumer \\
  --event-pattern '{"source":["comfyui.pipeline"],"detail-type":["Task Completed"]}'
aws events put-targets --event-bus-name <stage>-comfyui-events \\
  --rule my-consumer --targets Id=1,Arn=<arn of your queue or function>`;

/** A browser cannot read an EventBridge bus: there is no such API. */
const Elsewhere = (): ReactElement => (
  <div className="card">
    <p>
      On a deployed stage a browser cannot listen to the bus. Attach a consumer of your own: one rule, one
      target, and nothing of the pipeline changes.
    </p>
    <pre className="event-json" tabIndex={0}>
      {EXAMPLE}
    </pre>
    <div className="event-tools">
      <CopyButton what="commands" text={() => EXAMPLE} />
    </div>
    <p className="note">
      The project has a whole example in <code>examples/completed-tasks-queue</code> and every event in{' '}
      <code>docs/events.md</code>. To watch events live, run <code>npm start</code> and open this view there.
    </p>
  </div>
);

export const EventsView = (): ReactElement => {
  const { eventsUrl } = useServices().config;
  return (
    <section aria-labelledby="events-title" className="events">
      <div className="section-head">
        <h1 id="events-title">Events</h1>
        <span className="note">what passes over the bus, for building a consumer</span>
      </div>
      {eventsUrl === undefined ? <Elsewhere /> : <Inspector url={eventsUrl} />}
    </section>
  );
};
