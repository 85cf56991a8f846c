/** What of a recording is played. */
import { asObject, frameText, type RecordedLine, type RecordedPrompt, type Recording } from './recording.ts';

/** A recording as it is played: its first accepted prompt, and what ComfyUI sent about it. */
export interface Score {
  readonly prompt: RecordedPrompt;
  readonly lines: readonly RecordedLine[];
}

const isOf = (line: RecordedLine, prompt: RecordedPrompt): boolean => {
  if (line.ms < prompt.postedAt || line.ms > prompt.endedAt + 1) return false;
  if (line.event !== undefined || line.binary !== undefined) return true;
  return frameText(line)?.includes(prompt.promptId) ?? false;
};

/** Throws when the recorded client had no prompt accepted. */
export const scoreOf = (recording: Recording): Score => {
  const prompt = recording.prompts.find((p) => p.clientId === recording.clientId);
  if (prompt === undefined) throw new Error(`${recording.name} has no prompt to play`);
  return { prompt, lines: recording.socketLines.filter((line) => isOf(line, prompt)) };
};

/** The nodes that ComfyUI was going to run as outputs, whichever of them it came to. */
export const outputNodesOf = ({ entry }: RecordedPrompt): unknown[] => {
  const tuple = entry?.['prompt'];
  const listed: unknown = Array.isArray(tuple) ? tuple[4] : undefined;
  return Array.isArray(listed) ? listed : Object.keys(asObject(entry?.['outputs']));
};
