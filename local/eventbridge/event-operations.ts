/** The calls of the EventBridge API that are answered here. */
import * as z from 'zod';
import { EmbeddedAwsError } from '../contract.ts';
import { AwsJsonError } from './aws-json.ts';
import type { Operation } from './aws-json.ts';
import type { Bus, BusRegistry } from './bus-registry.ts';
import { MAX_ENTRIES, MAX_ENTRIES_BYTES, entryBytes, entryError, putEventsSchema } from './event-entry.ts';
import type { EventEntry } from './event-entry.ts';
import { compileEventPatternText } from './event-pattern.ts';
import type { Rule } from './rule.ts';

const patternInput = z.object({ EventPattern: z.string(), Event: z.string() });
const ruleInput = z.object({ Name: z.string(), EventBusName: z.string().nullish() });
const targetsInput = z.object({ Rule: z.string(), EventBusName: z.string().nullish() });
const rulesInput = z.object({ NamePrefix: z.string().nullish(), EventBusName: z.string().nullish() });
const busInput = z.object({ Name: z.string().nullish() });
const busesInput = z.object({ NamePrefix: z.string().nullish() });

/** `put` publishes one valid entry and answers its event id. */
export function eventOperations(
  buses: BusRegistry,
  put: (entry: EventEntry) => string,
): Readonly<Record<string, Operation>> {
  return {
    PutEvents: (input) => putEvents(putEventsSchema.parse(input).Entries, put),
    TestEventPattern: (input) => asCaller(() => testPattern(patternInput.parse(input))),
    DescribeRule: (input) => asCaller(() => describeRule(findRule(buses, ruleInput.parse(input)))),
    ListRules: (input) => asCaller(() => listRules(buses, rulesInput.parse(input))),
    ListTargetsByRule: (input) => {
      const { Rule: Name, EventBusName } = targetsInput.parse(input);
      return asCaller(() => ({ Targets: findRule(buses, { Name, EventBusName }).targets }));
    },
    ListEventBuses: (input) => ({ EventBuses: listBuses(buses, busesInput.parse(input).NamePrefix ?? '') }),
    DescribeEventBus: (input) => asCaller(() => describeBus(buses.get(busInput.parse(input).Name))),
  };
}

function putEvents(entries: readonly EventEntry[], put: (entry: EventEntry) => string) {
  if (entries.length < 1 || entries.length > MAX_ENTRIES) {
    throw new AwsJsonError(
      'ValidationException',
      `1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and ${MAX_ENTRIES}`,
    );
  }
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  if (bytes > MAX_ENTRIES_BYTES) {
    throw new AwsJsonError(
      'ValidationException',
      'Total size of the entries in the request is over the limit.',
    );
  }
  const results = entries.map((entry) => entryError(entry) ?? { EventId: put(entry) });
  return { FailedEntryCount: results.filter((result) => 'ErrorCode' in result).length, Entries: results };
}

function testPattern({ EventPattern, Event }: z.infer<typeof patternInput>) {
  const pattern = compileEventPatternText(EventPattern);
  try {
    return { Result: pattern.matches(JSON.parse(Event)) };
  } catch (error) {
    throw new AwsJsonError('ValidationException', 'Parameter Event is not valid.', { cause: error });
  }
}

function findRule(buses: BusRegistry, wanted: z.infer<typeof ruleInput>): Rule {
  const bus = buses.get(wanted.EventBusName);
  const rule = bus.rules.get(wanted.Name);
  if (rule) return rule;
  const message = `Rule ${wanted.Name} does not exist on EventBus ${bus.name}.`;
  throw new AwsJsonError('ResourceNotFoundException', message);
}

function listRules(buses: BusRegistry, wanted: z.infer<typeof rulesInput>) {
  const rules = [...buses.get(wanted.EventBusName).rules.values()];
  return { Rules: rules.filter((rule) => rule.name.startsWith(wanted.NamePrefix ?? '')).map(describeRule) };
}

function describeRule(rule: Rule) {
  return {
    Name: rule.name,
    Arn: rule.arn,
    EventPattern: rule.patternText,
    ScheduleExpression: rule.scheduleText,
    State: rule.enabled ? 'ENABLED' : 'DISABLED',
    Description: rule.description,
    EventBusName: rule.busName,
  };
}

function listBuses(buses: BusRegistry, prefix: string) {
  return buses
    .all()
    .filter((bus) => bus.name.startsWith(prefix))
    .map(describeBus);
}

function describeBus(bus: Bus) {
  return { Name: bus.name, Arn: bus.arn };
}

/** What the caller got wrong, in the wire form. */
function asCaller<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof EmbeddedAwsError)
      throw new AwsJsonError(error.code, error.message, { cause: error });
    throw error;
  }
}
