/** Makes calls of any port fail on demand, before or after their effect: a crash, or a lost answer. */

/** `before`: nothing happened. `after`: it happened, and nobody was told. */
export type FaultTime = 'before' | 'after';

export interface Faults {
  /** The port, with every call counted, and failing when it was told to. `name` is what the methods below say. */
  wrap<P extends object>(name: string, port: P): P;
  /** The next `times` calls of that method reject. */
  fail(name: string, method: string, times: number, time?: FaultTime): void;
  /** The call with that number (from 1, over all ports) rejects, and so does every later one until `recover`. */
  crashAt(call: number, time?: FaultTime): void;
  /** The call with that number alone rejects. */
  failCall(call: number, time?: FaultTime): void;
  /** The process runs again: no call fails any more. */
  recover(): void;
  /** Runs before every call; what it awaits decides how concurrent callers interleave. */
  interleave(turn: (label: string) => Promise<void>): void;
  /** `port.method` of each call made so far. */
  readonly calls: readonly string[];
}

export class InjectedFault extends Error {
  constructor(label: string, time: FaultTime) {
    super(`${label} failed ${time} its effect, as told`);
    this.name = 'InjectedFault';
  }
}

interface Planned {
  times: number;
  readonly time: FaultTime;
}

export const createFaults = (): Faults => {
  const calls: string[] = [];
  const planned = new Map<string, Planned>();
  let crash: { readonly call: number; readonly time: FaultTime; readonly forGood: boolean } | undefined;
  let turn: ((label: string) => Promise<void>) | undefined;

  const faultOf = (label: string, call: number): FaultTime | undefined => {
    if (call === crash?.call) return crash.time;
    if (crash?.forGood === true && call > crash.call) return 'before';
    const plan = planned.get(label);
    if (plan === undefined || plan.times === 0) return undefined;
    plan.times -= 1;
    return plan.time;
  };

  const run = async (label: string, call: () => unknown): Promise<unknown> => {
    await turn?.(label);
    const fault = faultOf(label, calls.push(label));
    if (fault === 'before') throw new InjectedFault(label, fault);
    const answer = await call();
    if (fault === 'after') throw new InjectedFault(label, fault);
    return answer;
  };

  return {
    calls,
    wrap: (name, port) =>
      new Proxy(port, {
        get: (target, key) => {
          const member: unknown = Reflect.get(target, key);
          if (typeof member !== 'function') return member;
          return (...parameters: unknown[]) =>
            run(`${name}.${String(key)}`, () => Reflect.apply(member, target, parameters) as unknown);
        },
      }),
    fail: (name, method, times, time = 'before') => {
      planned.set(`${name}.${method}`, { times, time });
    },
    crashAt: (call, time = 'before') => {
      crash = { call, time, forGood: true };
    },
    failCall: (call, time = 'before') => {
      crash = { call, time, forGood: false };
    },
    recover: () => {
      crash = undefined;
      planned.clear();
    },
    interleave: (next) => {
      turn = next;
    },
  };
};
