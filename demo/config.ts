/** What `npm start` reads from its environment and its command line. */
import * as z from 'zod';
import { DemoError } from './demo-error.ts';

export const DEFAULT_PORT = 8080;

const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port from 0 to 65535; 0 takes a free one')
  .transform(Number)
  .refine((value) => value <= 65_535, 'must be a port from 0 to 65535; 0 takes a free one');

const wholeNumber = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be a whole number from ${from} to ${to}`);

const COMFYUI_URL_FORM =
  'must be the address of a ComfyUI, http://host:port, for example http://127.0.0.1:8188';

/** The monitor takes a host and a port, so there is no place for another scheme or a path. */
const isAddress = (value: string): boolean => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url?.protocol === 'http:' && url.href === `${url.origin}/`;
};

const comfyUiUrl = z
  .string()
  .refine(isAddress, COMFYUI_URL_FORM)
  .transform((value) => new URL(value).origin);

const settingsSchema = z.object({
  PORT: port.default(DEFAULT_PORT),
  COMFYUI_URL: comfyUiUrl.optional(),
  PODS: wholeNumber(1, 8).default(2),
  STEP_DELAY_MS: wholeNumber(0, 60_000).default(200),
  DATA_DIR: z.string().min(1, 'must be a folder').optional(),
});

export interface DemoSettings {
  /** Port of the task API; the page takes the next one. 0: free ports. */
  readonly port: number;
  /** A real ComfyUI instead of the demo pods. */
  readonly comfyUiUrl: string | undefined;
  /** Demo pods, 1–8. */
  readonly pods: number;
  /** Time of one sampling step of a demo pod, milliseconds. */
  readonly stepDelayMs: number;
  /** Keeps state over restarts; temporary when undefined. */
  readonly dataDir: string | undefined;
}

/** @throws DemoError naming each wrong setting */
export const readSettings = (values: Readonly<Record<string, string | undefined>>): DemoSettings => {
  const set = Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && value !== ''),
  );
  const read = settingsSchema.safeParse(set);
  if (!read.success) {
    const problems = read.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new DemoError('settings', problems.join('\n'));
  }
  const { PORT, COMFYUI_URL, PODS, STEP_DELAY_MS, DATA_DIR } = read.data;
  return { port: PORT, comfyUiUrl: COMFYUI_URL, pods: PODS, stepDelayMs: STEP_DELAY_MS, dataDir: DATA_DIR };
};
