/** The shell: header, views, and what they share. */
import {
  lazy,
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  type Dispatch,
  type ReactElement,
  type SetStateAction,
} from 'react';
import { useGeneration, type Generation } from '../react/use-generation.ts';
import { ApiKeyPanel } from './api-key-panel.tsx';
import { messageOf } from './api/pipeline-error.ts';
import { CreateView } from './create/create-view.tsx';
import { draftOf, firstDraft, keepDraft, restoredDraft, workflowIdOf, type Draft } from './create/draft.ts';
import { useFileDrop } from './create/use-file-drop.ts';
import { Header } from './header.tsx';
import { ActionsContext, ServicesContext, type PageActions, type PageServices } from './page-services.ts';
import { goTo, hrefOf, useRoute, type Route } from './routing.ts';
import { Toasts, useToasts } from './ui/toasts.tsx';
import { readWorkflowFile } from './workflow/read-workflow.ts';

const JobView = lazy(async () => ({ default: (await import('./job/job-view.tsx')).JobView }));
const GalleryView = lazy(async () => ({ default: (await import('./gallery/gallery-view.tsx')).GalleryView }));
const WorkersView = lazy(async () => ({ default: (await import('./workers/workers-view.tsx')).WorkersView }));
const EventsView = lazy(async () => ({ default: (await import('./events/events-view.tsx')).EventsView }));

/** The generation of the first view. What is tried in place of a failed job is told to the list of jobs. */
const useShownGeneration = (services: PageServices): Generation => {
  const { client, smallerPolicy, submissionOf, onFollowUp } = services;
  const generation = useGeneration({ client, onFailure: smallerPolicy, submissionOf });
  const { jobId, retries } = generation;
  const last = useRef<string | null>(null);
  useEffect(() => {
    if (jobId === null || jobId === last.current) return;
    if (last.current !== null && retries.length > 0) onFollowUp(last.current, jobId);
    last.current = jobId;
  }, [jobId, retries, onFollowUp]);
  return generation;
};

const usePageActions = (
  { api, jobs, onFollowUp }: PageServices,
  say: (line: string) => void,
  setDraft: (draft: Draft) => void,
): PageActions =>
  useMemo(() => {
    const told = async (act: () => Promise<void>): Promise<void> => {
      try {
        await act();
      } catch (error) {
        say(messageOf(error));
      }
    };
    return {
      say,
      cancel: (id) =>
        told(async () => {
          await jobs.cancel(id);
          say('The job is being cancelled');
        }),
      retry: (id) =>
        told(async () => {
          const next = await jobs.retry(id);
          onFollowUp(id, next);
          goTo({ view: 'job', jobId: next });
          say('Queued again as a new job');
        }),
      reuse: ({ id }) =>
        told(async () => {
          const task = await api.getTask(id);
          setDraft(
            draftOf(task.workflowId, await api.getPayload(task), { origin: `from job ${id.slice(0, 8)}` }),
          );
          goTo({ view: 'create' });
          say('The form holds the settings of that job');
        }),
    };
  }, [api, jobs, onFollowUp, say, setDraft]);

/** A dropped or chosen file becomes the draft; what it is not is said. */
const useOpenFile = (setDraft: (draft: Draft) => void, setProblem: (line: string) => void) =>
  useCallback(
    async (file: File): Promise<void> => {
      const reading = await readWorkflowFile(file);
      setProblem(reading.kind === 'refused' ? `${file.name}: ${reading.message}` : '');
      goTo({ view: 'create' });
      if (reading.kind === 'workflow')
        setDraft(draftOf(workflowIdOf(file.name), reading.text, { origin: 'file' }));
    },
    [setDraft, setProblem],
  );

const useDraft = (): readonly [Draft, Dispatch<SetStateAction<Draft>>] => {
  const [draft, setDraft] = useState(() => restoredDraft() ?? firstDraft());
  useEffect(() => keepDraft(draft), [draft]);
  return [draft, setDraft];
};

interface ViewProps {
  readonly route: Route;
  readonly draft: Draft;
  readonly setDraft: (draft: Draft) => void;
  readonly onFile: (file: File) => void;
  readonly generation: Generation;
}

const View = ({ route, draft, setDraft, onFile, generation }: ViewProps): ReactElement => {
  switch (route.view) {
    case 'job':
      return <JobView key={route.jobId} jobId={route.jobId} />;
    case 'gallery':
      return <GalleryView />;
    case 'workers':
      return <WorkersView />;
    case 'events':
      return <EventsView />;
    case 'create':
      return <CreateView draft={draft} onDraft={setDraft} onFile={onFile} generation={generation} />;
  }
};

const TITLES: Readonly<Record<Route['view'], string>> = {
  create: 'Create',
  job: 'Job',
  gallery: 'Gallery',
  workers: 'Workers',
  events: 'Events',
};

/** What runs can be read from the tab, whichever view is open. */
const usePageTitle = ({ view }: Route, { status, progress }: Generation): void => {
  const running = status === 'running' ? `${Math.floor(progress.percentage)}% · ` : '';
  const title = `${running}${TITLES[view]} · ComfyUI pipeline`;
  useEffect(() => {
    document.title = title;
  }, [title]);
};

/** Another view begins at its top, and a screen reader is told so: the focus goes where it begins. */
const useFreshStart = (route: Route): void => {
  const href = hrefOf(route);
  const last = useRef(href);
  useEffect(() => {
    if (last.current === href) return;
    last.current = href;
    window.scrollTo(0, 0);
    document.getElementById('main')?.focus({ preventScroll: true });
  }, [href]);
};

export interface AppProps {
  readonly services: PageServices;
  /** The last answer was 401. */
  readonly needsKey: boolean;
  readonly hasKey: boolean;
  readonly onKey: (key: string) => void;
}

export const App = ({ services, needsKey, hasKey, onKey }: AppProps): ReactElement => {
  const route = useRoute();
  const generation = useShownGeneration(services);
  const [draft, setDraft] = useDraft();
  const [problem, setProblem] = useState('');
  const { toasts, say } = useToasts();
  const actions = usePageActions(services, say, setDraft);
  const readFile = useOpenFile(setDraft, setProblem);
  const openFile = useCallback((file: File) => void readFile(file), [readFile]);
  const dropping = useFileDrop(openFile);
  usePageTitle(route, generation);
  useFreshStart(route);
  return (
    <ServicesContext value={services}>
      <ActionsContext value={actions}>
        <a className="skip-link" href="#main" onClick={(event) => skipToMain(event)}>
          Skip to content
        </a>
        <Header route={route} connection={generation.connection} />
        <main id="main" tabIndex={-1}>
          {needsKey && <ApiKeyPanel refused={hasKey} onKey={onKey} />}
          {problem !== '' && (
            <div className="alert alert-row" role="alert" data-testid="file-problem">
              <p>{problem}</p>
              <button type="button" className="button" onClick={() => setProblem('')}>
                Dismiss
              </button>
            </div>
          )}
          <Suspense fallback={<p className="empty">Loading…</p>}>
            <View {...{ route, draft, setDraft, generation }} onFile={openFile} />
          </Suspense>
        </main>
        {dropping && <div className="drop-hint">Drop the workflow: JSON or PNG</div>}
        <Toasts toasts={toasts} />
      </ActionsContext>
    </ServicesContext>
  );
};

/** The address is the route's, so the link moves the focus by itself. */
const skipToMain = (event: { preventDefault(): void }): void => {
  event.preventDefault();
  document.getElementById('main')?.focus();
};
