/** Everything that was made, newest first. */
import { useEffect, useState, type ReactElement } from 'react';
import { messageOf } from '../api/pipeline-error.ts';
import type { TaskDetailsCache } from '../api/task-details.ts';
import type { PipelineApi } from '../api/pipeline-api.ts';
import { useServices } from '../page-services.ts';
import { Lightbox, type LightboxItem } from '../ui/lightbox.tsx';
import { Thumbnail } from '../ui/tile.tsx';
import './gallery.css';

const PAGE_SIZE = 12;

interface Page {
  readonly items: readonly LightboxItem[];
  readonly nextCursor: string | null;
}

const loadPage = async (
  api: Pick<PipelineApi, 'listTasks'>,
  details: TaskDetailsCache,
  cursor: string | undefined,
): Promise<Page> => {
  const { tasks, nextCursor } = await api.listTasks({ status: 'completed', limit: PAGE_SIZE, cursor });
  // One that was removed meanwhile does not take the others with it.
  const loaded = await Promise.all(tasks.map(({ id }) => details.get(id).catch(() => undefined)));
  const items = loaded.flatMap((task) =>
    (task?.view.outputs ?? []).map((output) => ({ output, jobId: task?.id ?? null })),
  );
  return { items, nextCursor };
};

interface Gallery extends Page {
  readonly phase: 'loading' | 'ready' | 'failed';
  readonly error: string;
}

const EMPTY: Gallery = { items: [], nextCursor: null, phase: 'loading', error: '' };

const withPage = (before: Gallery, page: Page): Gallery => ({
  items: [...before.items, ...page.items],
  nextCursor: page.nextCursor,
  phase: 'ready',
  error: '',
});

const failed =
  (error: unknown) =>
  (before: Gallery): Gallery => ({ ...before, phase: 'failed', error: messageOf(error) });

const useGallery = (): readonly [Gallery, () => void] => {
  const { api, details } = useServices();
  const [gallery, setGallery] = useState(EMPTY);
  useEffect(() => {
    let left = false;
    const settle = (act: () => void): void => {
      if (!left) act();
    };
    loadPage(api, details, undefined).then(
      (page) => settle(() => setGallery(withPage(EMPTY, page))),
      (error: unknown) => settle(() => setGallery(failed(error))),
    );
    return () => {
      left = true;
    };
  }, [api, details]);
  const more = async (): Promise<void> => {
    setGallery((before) => ({ ...before, phase: 'loading', error: '' }));
    try {
      const page = await loadPage(api, details, gallery.nextCursor ?? undefined);
      setGallery((before) => withPage(before, page));
    } catch (error) {
      setGallery(failed(error));
    }
  };
  return [gallery, () => void more()];
};

interface TileProps {
  readonly item: LightboxItem;
  readonly onOpen: () => void;
}

const Tile = ({ item, onOpen }: TileProps): ReactElement => {
  const { titles } = useServices();
  const { output, jobId } = item;
  const title = jobId === null ? undefined : titles.titleOf(jobId);
  return (
    <li>
      <button
        type="button"
        className="tile"
        data-testid="gallery-tile"
        onClick={onOpen}
        aria-label={`Show ${output.filename}${title === undefined ? '' : `: ${title}`}`}
      >
        <Thumbnail output={output} testId="gallery-picture" />
        <span className="tile-name">{title ?? output.filename}</span>
      </button>
    </li>
  );
};

export const GalleryView = (): ReactElement => {
  const [{ items, nextCursor, phase, error }, more] = useGallery();
  const [shown, setShown] = useState<number>();
  return (
    <section aria-labelledby="gallery-title">
      <div className="section-head">
        <h1 id="gallery-title">Gallery</h1>
      </div>
      {error !== '' && (
        <p className="alert" role="alert">
          {error}
        </p>
      )}
      {phase === 'ready' && items.length === 0 && (
        <p className="empty">
          Nothing here yet. What your jobs make is kept here: <a href="#/">create something</a>.
        </p>
      )}
      <ul className="gallery-grid">
        {items.map((item, at) => (
          <Tile key={item.output.outputId} item={item} onOpen={() => setShown(at)} />
        ))}
      </ul>
      {phase === 'loading' && <p className="empty">Loading…</p>}
      {(nextCursor !== null || phase === 'failed') && phase !== 'loading' && (
        <button type="button" className="button" onClick={more}>
          {phase === 'failed' ? 'Try again' : 'Show more'}
        </button>
      )}
      {shown !== undefined && (
        <Lightbox items={items} at={shown} onMove={setShown} onClose={() => setShown(undefined)} />
      )}
    </section>
  );
};
