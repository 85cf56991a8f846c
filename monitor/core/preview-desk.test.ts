import { describe, expect, test } from '@jest/globals';
import { MAX_PREVIEW_BYTES } from '../../shared-types/index.ts';
import { jpegOf, pngOf } from '../test-support/pictures.ts';
import type { PromptOwner } from './own-jobs.ts';
import { createPreviewDesk, PREVIEW_LIMITS, type PreviewDrop } from './preview-desk.ts';

const JPEG = [0xff, 0xd8, 0xff, 0xe0];
const PNG = [0x89, 0x50, 0x4e, 0x47];
/** Bytes that begin as a picture does and end in a number that tells one from another. */
const picture = (n: number, head = JPEG, length = 64): Buffer => {
  const bytes = Buffer.alloc(length, n);
  Buffer.from(head).copy(bytes);
  return bytes;
};

const bomb = (): Buffer => {
  const bytes = Buffer.from(pngOf(8));
  bytes.writeUInt32BE(0x7f_ff_ff_ff, 16);
  return bytes;
};

const setUp = () => {
  const owners = new Map<string, PromptOwner>([['p', { kind: 'job', jobId: 'job-p', attempt: 1 }]]);
  const drops: PreviewDrop[] = [];
  const desk = createPreviewDesk(
    (promptId) => owners.get(promptId) ?? { kind: 'undecided' },
    (reason) => drops.push(reason),
  );
  const offer = (n: number, now: number, promptId = 'p'): void => desk.offer(promptId, '3', picture(n), now);
  /** The call at that time, answered at once. */
  const turn = (now: number, watchers: number | undefined) => {
    const call = desk.next(now);
    if (call !== undefined) desk.answered(call, watchers, now);
    return call === undefined ? 'nothing' : call.withPicture ? call.picture.image[63] : 'question';
  };
  return { desk, owners, drops, offer, turn };
};

describe('while somebody watches', () => {
  test('it asks first, then sends at most one picture in two seconds, each the newest', () => {
    const { desk, offer, turn, drops } = setUp();
    offer(1, 0);
    expect(turn(0, 1)).toBe('question');
    expect(turn(0, 1)).toBe(1);
    for (let n = 2; n <= 20; n += 1) {
      offer(n, n * 100);
      if (n < 20) expect(turn(n * 100, 1)).toBe('nothing');
    }
    expect(desk.dueAt()).toBe(2000);
    expect(turn(2000, 1)).toBe(20);
    expect(turn(2000, 1)).toBe('nothing');
    expect(drops.filter((reason) => reason === 'superseded')).toHaveLength(18);
  });

  test('a picture that comes late goes at once, and none goes twice', () => {
    const { desk, offer, turn } = setUp();
    offer(1, 0);
    turn(0, 1);
    turn(0, 1);
    expect(desk.dueAt()).toBe(Infinity);
    offer(2, 7000);
    expect(turn(7000, 1)).toBe(2);
    expect(turn(60_000, 1)).toBe('nothing');
  });

  test('a picture that came while another was on its way is the next one', () => {
    const { desk, offer, turn } = setUp();
    offer(1, 0);
    turn(0, 1);
    const call = desk.next(0)!;
    offer(2, 100);
    desk.answered(call, 1, 0);
    expect(turn(1999, 1)).toBe('nothing');
    expect(turn(2000, 1)).toBe(2);
  });

  test('a clock that is set back by an hour stops nothing', () => {
    const { offer, turn } = setUp();
    const hour = 3_600_000;
    offer(1, hour);
    turn(hour, 1);
    expect(turn(hour, 1)).toBe(1);
    offer(2, 1000);
    expect(turn(1000, 1)).toBe(2);
    offer(3, 1500);
    expect(turn(1500, 1)).toBe('nothing');
    expect(turn(3000, 1)).toBe(3);
  });

  test('jobs side by side take turns', () => {
    const { offer, turn, owners } = setUp();
    owners.set('q', { kind: 'job', jobId: 'job-q', attempt: 2 });
    offer(1, 0);
    offer(2, 0, 'q');
    expect([turn(0, 1), turn(0, 1), turn(0, 1), turn(0, 1), turn(0, 1)]).toEqual([
      'question',
      1,
      'question',
      2,
      'nothing',
    ]);
  });
});

describe('while nobody watches', () => {
  test.each([[0], [undefined]])('(answer %p) it asks every ten seconds, and sends no picture', (answer) => {
    const { offer, turn } = setUp();
    const seen: unknown[] = [];
    for (let now = 0; now <= 30_000; now += 500) {
      offer(1, now);
      seen.push(turn(now, answer));
    }
    expect(seen.filter((what) => what !== 'nothing')).toEqual(Array.from({ length: 4 }, () => 'question'));
  });

  test('the newest picture waits for who comes', () => {
    const { desk, offer, turn } = setUp();
    offer(1, 0);
    expect(turn(0, 0)).toBe('question');
    offer(2, 50);
    expect(desk.dueAt()).toBe(PREVIEW_LIMITS.askEveryMs);
    expect(turn(9999, 1)).toBe('nothing');
    expect(turn(10_000, 1)).toBe('question');
    expect(turn(10_000, 1)).toBe(2);
  });

  test('the last watcher who leaves ends it', () => {
    const { offer, turn } = setUp();
    offer(1, 0);
    turn(0, 1);
    expect(turn(0, 0)).toBe(1);
    offer(2, 5000);
    expect(turn(5000, 0)).toBe('nothing');
    expect(turn(10_000, 0)).toBe('question');
  });
});

describe('a prompt', () => {
  test('whose owner is not known yet waits, and is forgotten after a while', () => {
    const { desk, offer, turn, owners, drops } = setUp();
    offer(1, 0, 'new');
    expect(turn(0, 1)).toBe('nothing');
    expect(desk.dueAt()).toBe(PREVIEW_LIMITS.undecidedEveryMs);
    owners.set('new', { kind: 'job', jobId: 'job-n', attempt: 1 });
    expect(turn(250, 1)).toBe('question');
    offer(2, 300, 'never');
    expect(turn(300, 1)).toBe(1);
    expect(turn(300, 1)).toBe('nothing');
    expect(turn(300 + PREVIEW_LIMITS.undecidedMs + 1, 1)).toBe('nothing');
    expect(drops).toEqual(['noJob']);
  });

  test('of somebody else, or one that is over, is not shown', () => {
    const { desk, offer, turn, owners, drops } = setUp();
    owners.set('foreign', { kind: 'none' });
    offer(1, 0, 'foreign');
    offer(2, 0);
    owners.set('p', { kind: 'none' });
    expect(turn(0, 1)).toBe('nothing');
    expect(drops).toEqual(['noJob', 'noJob']);
    expect(desk.dueAt()).toBe(Infinity);
  });

  test('that nobody knows takes no place from a job, however many there are', () => {
    const { desk, offer, turn, owners, drops } = setUp();
    for (let n = 0; n < 1000; n += 1) offer(1, 0, `unknown-${n}`);
    offer(7, 0);
    expect(turn(0, 1)).toBe('question');
    for (let n = 0; n < PREVIEW_LIMITS.prompts; n += 1)
      owners.set(`own-${n}`, { kind: 'job', jobId: `job-${n}`, attempt: 1 });
    for (let n = 0; n < PREVIEW_LIMITS.prompts; n += 1) offer(1, 0, `own-${n}`);
    expect(drops.filter((reason) => reason === 'tooManyPrompts')).toHaveLength(1);
    expect(desk.dueAt()).toBe(0);
  });
});

describe('a picture', () => {
  test.each<[string, Buffer, PreviewDrop[]]>([
    ['of exactly 24 KB', picture(1, PNG, MAX_PREVIEW_BYTES), []],
    ['of more, that can be made smaller', jpegOf(512), []],
    ['of a byte more, without a size', picture(1, JPEG, MAX_PREVIEW_BYTES + 1), ['undecodable']],
    ['of 4 MB', Buffer.concat([jpegOf(16), Buffer.alloc(4 * 1024 * 1024)]), ['tooLarge']],
    ['of 2048 pixels', jpegOf(2048, 8), []],
    ['of 2049 pixels', jpegOf(2049, 8), ['tooLarge']],
    ['of two gigapixels in a few bytes', bomb(), ['tooLarge']],
    ['without bytes', Buffer.alloc(0), ['notAPicture']],
    ['of one byte', Buffer.from([0xff]), ['notAPicture']],
    ['that is a page', Buffer.from('<html><script>alert(1)</script>'), ['notAPicture']],
    ['that is SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), ['notAPicture']],
    ['that is WebP', Buffer.from('RIFF....WEBP'), ['notAPicture']],
  ])('%s', (_name, bytes, expected) => {
    const { desk, drops } = setUp();
    desk.offer('p', null, bytes, 0);
    expect(drops).toEqual(expected);
    expect(desk.next(0) === undefined).toBe(expected.length > 0);
  });

  test.each([
    ['image/jpeg', JPEG],
    ['image/png', PNG],
  ])('is %s by its own bytes', (mimeType, head) => {
    const { desk } = setUp();
    desk.offer('p', '3', picture(1, head), 0);
    expect(desk.next(0)).toMatchObject({
      promptId: 'p',
      jobId: 'job-p',
      attempt: 1,
      picture: { mimeType, nodeId: '3' },
    });
  });
});
