/** Short news at the edge of the window, read out as well. */
import { useCallback, useEffect, useRef, useState, type ReactElement } from 'react';

const SHOWN_MS = 6000;
const MAX_SHOWN = 3;

interface Toast {
  readonly id: number;
  readonly line: string;
}

export const useToasts = (): { readonly toasts: readonly Toast[]; readonly say: (line: string) => void } => {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const count = useRef(0);
  const timers = useRef(new Set<ReturnType<typeof setTimeout>>());
  useEffect(() => {
    const running = timers.current;
    return () => running.forEach((timer) => clearTimeout(timer));
  }, []);
  const say = useCallback((line: string) => {
    count.current += 1;
    const id = count.current;
    setToasts((before) => [...before.slice(1 - MAX_SHOWN), { id, line }]);
    const timer = setTimeout(() => {
      timers.current.delete(timer);
      setToasts((before) => before.filter((toast) => toast.id !== id));
    }, SHOWN_MS);
    timers.current.add(timer);
  }, []);
  return { toasts, say };
};

export const Toasts = ({ toasts }: { readonly toasts: readonly Toast[] }): ReactElement => (
  <div className="toasts" role="status" aria-live="polite" data-testid="toasts">
    {toasts.map(({ id, line }) => (
      <p key={id} className="toast">
        {line}
      </p>
    ))}
  </div>
);
