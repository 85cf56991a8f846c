/** A line that no run steps over: shows the middle of a run to whoever looks, however quick or slow the machine is. */
export class StepHold {
  private limit = Number.POSITIVE_INFINITY;
  private readonly waiting = new Set<() => void>();

  /** Every run waits once it has taken so many steps (0: before its first), until the line moves or goes. */
  set(afterSteps: number): void {
    this.limit = afterSteps;
    this.lookAgain();
  }

  release(): void {
    this.set(Number.POSITIVE_INFINITY);
  }

  /** Whether a run stands at the line. */
  get isHolding(): boolean {
    return this.waiting.size > 0;
  }

  /** Whoever waits asks again whether it still must. */
  lookAgain(): void {
    for (const wake of this.waiting) wake();
  }

  /** Resolves when the line lets the run on, when `isStopped` says after `lookAgain` that it ends, or by the signal. */
  async pass(steps: () => number, isStopped: () => boolean, signal: AbortSignal): Promise<void> {
    while (steps() >= this.limit && !isStopped() && !signal.aborted) await this.change(signal);
  }

  private change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
