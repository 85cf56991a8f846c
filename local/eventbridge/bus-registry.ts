import type { AwsPlace } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { Archive } from './archive.ts';
import type { Rule } from './rule.ts';

export interface Bus {
  readonly name: string;
  readonly arn: string;
  readonly rules: Map<string, Rule>;
  readonly archives: Archive[];
}

/** The event buses of the account; `default` is always there. */
export class BusRegistry {
  readonly #place: AwsPlace;
  readonly #buses = new Map<string, Bus>();

  constructor(place: AwsPlace) {
    this.#place = place;
    this.create('default');
  }

  create(name: string): Bus {
    if (this.#buses.has(name)) {
      throw new EmbeddedAwsError('ResourceAlreadyExistsException', `Event bus ${name} already exists.`);
    }
    const bus = { name, arn: this.arn(`event-bus/${name}`), rules: new Map<string, Rule>(), archives: [] };
    this.#buses.set(name, bus);
    return bus;
  }

  arn(resource: string): string {
    return `arn:aws:events:${this.#place.region}:${this.#place.accountId}:${resource}`;
  }

  /** By name or ARN; a missing name is the default bus. */
  find(nameOrArn: string | null | undefined): Bus | undefined {
    return this.#buses.get(busName(nameOrArn));
  }

  /** Throws `ResourceNotFoundException`. */
  get(nameOrArn: string | null | undefined): Bus {
    const bus = this.find(nameOrArn);
    if (bus) return bus;
    throw new EmbeddedAwsError(
      'ResourceNotFoundException',
      `Event bus ${busName(nameOrArn)} does not exist.`,
    );
  }

  all(): readonly Bus[] {
    return [...this.#buses.values()];
  }
}

function busName(nameOrArn: string | null | undefined): string {
  if (nameOrArn === null || nameOrArn === undefined || nameOrArn === '') return 'default';
  return nameOrArn.startsWith('arn:') ? nameOrArn.slice(nameOrArn.indexOf(':event-bus/') + 11) : nameOrArn;
}
