/** Test support: takes out of frames and replies what differs from run to run. */

const PROMPT_ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

const FILE = /[A-Za-z_/]+_\d{5}_\.\w+/g;

export class Normaliser {
  private readonly ids = new Map<string, string>();
  private readonly files = new Map<string, string>();
  private firstNumber: number | undefined;

  /** Ids and file counters become tokens in the order of their first appearance. */
  text(text: string): string {
    return text
      .replace(PROMPT_ID, (id) => token(this.ids, id, 'prompt'))
      .replace(/_temp_[a-z]{5}_/g, '_temp_xxxxx_')
      .replace(FILE, (name) => token(this.files, name, 'file'))
      .replace(/"prompt": \[\d+,/g, '"prompt": [0,')
      .replace(/"timestamp": ?\d+/g, '"timestamp": 0');
  }

  /** For what is to be sent: ids and files that the other side knows under a name of its own get that name. */
  translate(text: string, other: Normaliser): string {
    const ids = text.replace(PROMPT_ID, (id) => other.nameOf(other.ids, this.ids.get(id)) ?? id);
    return ids.replace(FILE, (name) => other.nameOf(other.files, this.files.get(name)) ?? name);
  }

  private nameOf(known: ReadonlyMap<string, string>, wanted: string | undefined): string | undefined {
    return [...known].find(([, name]) => name === wanted)?.[0];
  }

  json(value: unknown): unknown {
    return this.relax(JSON.parse(this.text(JSON.stringify(value))), '');
  }

  private relax(value: unknown, key: string): unknown {
    if (key === 'traceback') return 'traceback';
    if (key === 'number' && typeof value === 'number') return this.relativeNumber(value);
    if (Array.isArray(value)) return this.relaxList(value as unknown[], key);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([name]) => name !== 'tooltip');
    const relaxed = Object.fromEntries(entries.map(([name, item]) => [name, this.relax(item, name)]));
    // The words of an out-of-memory error are the driver's own.
    if (relaxed['exception_type'] === 'torch.OutOfMemoryError')
      relaxed['exception_message'] = 'out of memory';
    return relaxed;
  }

  private relaxList(list: unknown[], key: string): unknown[] {
    if (key === 'current_outputs' || key === 'executed') return sorted(list);
    const relaxed = list.map((item) => this.relax(item, ''));
    // [number, id, prompt, extra_data, outputs], where the order of outputs is that of a Python set.
    if (relaxed.length !== 5 || typeof relaxed[0] !== 'number' || !Array.isArray(relaxed[4])) return relaxed;
    return [this.relativeNumber(relaxed[0]), ...relaxed.slice(1, 4), sorted(relaxed[4])];
  }

  private relativeNumber(number: number): number {
    this.firstNumber ??= number;
    return number - this.firstNumber;
  }
}

function sorted(list: readonly unknown[]): unknown[] {
  return [...list].sort((a, b) => (String(a) < String(b) ? -1 : 1));
}

function token(known: Map<string, string>, value: string, kind: string): string {
  const name = known.get(value) ?? `«${kind}-${known.size}»`;
  known.set(value, name);
  return name;
}

/** A binary frame without its picture: the event, what it says about the node, and whether a picture follows. */
export function withoutPixels(frame: Buffer, normaliser: Normaliser): unknown {
  const event = frame.readUInt32BE(0);
  if (event === 1) return { event, picture: isPicture(frame.subarray(8), frame.readUInt32BE(4)) };
  const length = frame.readUInt32BE(4);
  const about = JSON.parse(frame.subarray(8, 8 + length).toString('utf8')) as Record<string, unknown>;
  const format = about['image_type'] === 'image/png' ? 2 : 1;
  return {
    event,
    about: normaliser.json({ ...about, image_type: 'image' }),
    picture: isPicture(frame.subarray(8 + length), format),
  };
}

function isPicture(bytes: Buffer, format: number): boolean {
  const magic = format === 1 ? [0xff, 0xd8, 0xff] : [0x89, 0x50, 0x4e, 0x47];
  return magic.every((byte, index) => bytes[index] === byte);
}
