import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  AwsPlace,
  AwsService,
  FunctionInvoker,
  Log,
  ProvisionedResource,
  QueueSender,
  ResourceProviders,
  ResourceRequest,
} from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { Chaos } from '../front-door/chaos.ts';
import { Archive, archiveFile } from './archive.ts';
import { answerAwsJson } from './aws-json.ts';
import { BusRegistry } from './bus-registry.ts';
import type { Bus } from './bus-registry.ts';
import { Deliveries } from './delivery.ts';
import { MAX_ENTRIES_BYTES, envelope, isoSeconds } from './event-entry.ts';
import type { EventEntry } from './event-entry.ts';
import { eventOperations } from './event-operations.ts';
import {
  archiveSchema,
  busSchema,
  generatedName,
  namedPattern,
  namedSchedule,
  parseProperties,
  provisionedSchedule,
  ruleOf,
  scheduleSchema,
} from './event-resources.ts';
import type { ScheduleProperties } from './event-resources.ts';
import { targetInput } from './input-transform.ts';
import type { Rule, Target } from './rule.ts';
import { ScheduleTimers } from './schedule-timers.ts';

export interface EventBridgeOptions {
  readonly place: AwsPlace;
  readonly invoker: FunctionInvoker;
  readonly queues: QueueSender;
  readonly chaos?: Pick<Chaos, 'delivery'> | undefined;
  /** Where archives are kept between runs. */
  readonly dataDir?: string | undefined;
  /** 1 is real time; 60 lets schedules pass an hour in a minute. */
  readonly scheduleScale?: number | undefined;
  /** Pause before the first retry of a delivery in milliseconds. Default 1000. */
  readonly deliveryRetryBaseMs?: number | undefined;
  readonly log: Log;
}

const MAX_HOPS = 5;
const MAX_LOG_LINES = 1000;

/** EventBridge: buses, rules with event patterns or schedules, archives, and the delivery to targets. */
export class EventBridgeService implements AwsService {
  readonly signingName = 'events';
  readonly providers: ResourceProviders = {
    'AWS::Events::EventBus': async (request) => this.#createBus(request),
    'AWS::Events::Rule': async (request) => this.#createRule(request),
    'AWS::Events::Archive': async (request) => this.#createArchive(request),
    'AWS::Scheduler::Schedule': async (request) => this.#createSchedule(request),
    'AWS::Scheduler::ScheduleGroup': async (request) => this.#createScheduleGroup(request),
  };
  readonly #options: EventBridgeOptions;
  readonly #buses: BusRegistry;
  readonly #deliveries: Deliveries;
  readonly #timers: ScheduleTimers;
  readonly #archives = new Map<string, Archive>();
  readonly #logLines = new Map<string, string[]>();

  constructor(options: EventBridgeOptions) {
    this.#options = options;
    this.#buses = new BusRegistry(options.place);
    this.#timers = new ScheduleTimers(options.scheduleScale ?? 1);
    this.#deliveries = new Deliveries({
      invoker: options.invoker,
      queues: options.queues,
      chaos: options.chaos,
      retryBaseMs: options.deliveryRetryBaseMs ?? 1000,
      forward: (busArn, text, hops) => this.#forward(busArn, text, hops),
      writeLog: (arn, text) => this.#writeLog(arn, text),
      log: options.log,
    });
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operations = eventOperations(this.#buses, (entry) => this.#put(entry));
    const maxBodyBytes = MAX_ENTRIES_BYTES * 8;
    const protocol = { targetPrefix: 'AWSEvents', version: '1.1', operations, maxBodyBytes } as const;
    await answerAwsJson(protocol, request, response);
  }

  /** Resolves when every accepted event is delivered, dead-lettered or dropped. */
  async idle(): Promise<void> {
    await this.#deliveries.idle();
  }

  /** The events that an archive kept, as JSON text, oldest first. Throws when there is no such archive. */
  archivedEvents(archiveName: string): readonly string[] {
    const archive = this.#archives.get(archiveName);
    if (archive) return archive.events();
    throw new EmbeddedAwsError('ResourceNotFoundException', `Archive ${archiveName} does not exist.`);
  }

  /** What rules wrote to a log group: the last thousand lines, oldest first. */
  logLines(logGroupArn: string): readonly string[] {
    return this.#logLines.get(logGroupArn) ?? [];
  }

  async close(): Promise<void> {
    this.#timers.close();
    await this.#deliveries.close();
  }

  #put(entry: EventEntry): string {
    const { id, text } = envelope(entry, this.#options.place, new Date());
    const bus = this.#buses.find(entry.EventBusName);
    // AWS accepts the event all the same, and drops it; only the log can tell.
    if (bus) this.#publish(bus, text, 0);
    else this.#options.log('eventbridge.bus_not_found', { bus: entry.EventBusName, eventId: id });
    return id;
  }

  #publish(bus: Bus, text: string, hops: number): void {
    const event: unknown = JSON.parse(text);
    for (const archive of bus.archives) archive.offer(event, text);
    for (const rule of bus.rules.values()) {
      if (rule.enabled && rule.pattern?.matches(event) === true) this.#deliver(rule, text, hops);
    }
  }

  #forward(busArn: string, text: string, hops: number): void {
    if (hops > MAX_HOPS) {
      throw new EmbeddedAwsError('NoSuchHop', `The event came over ${hops} buses, more than ${MAX_HOPS}`);
    }
    this.#publish(this.#buses.get(busArn), text, hops);
  }

  #deliver(rule: Rule, text: string, hops: number): void {
    const ingestionTime = isoSeconds(new Date());
    const context = { ruleArn: rule.arn, ruleName: rule.name, ingestionTime };
    for (const target of rule.targets) {
      this.#deliveries.start({
        targetArn: target.Arn,
        payload: () => targetInput(target, text, context),
        eventText: text,
        origin: { RULE_ARN: rule.arn },
        hops,
        ...limits(target),
      });
    }
  }

  #writeLog(logGroupArn: string, text: string): void {
    const lines = this.#logLines.get(logGroupArn) ?? [];
    lines.push(text);
    if (lines.length > MAX_LOG_LINES) lines.shift();
    this.#logLines.set(logGroupArn, lines);
    this.#options.log('eventbridge.log_group', { logGroupArn });
  }

  #createBus(request: ResourceRequest): ProvisionedResource {
    const bus = this.#buses.create(parseProperties(busSchema, request).Name);
    return { ref: bus.name, attributes: { Arn: bus.arn, Name: bus.name } };
  }

  #createRule(request: ResourceRequest): ProvisionedResource {
    const rule = ruleOf(
      request,
      (name) => this.#buses.get(name),
      (resource) => this.#buses.arn(resource),
    );
    this.#buses.get(rule.busName).rules.set(rule.name, rule);
    if (rule.schedule && rule.enabled) {
      this.#timers.start(rule.schedule, (at) =>
        this.#deliver(rule, this.#scheduledEvent('aws.events', rule.arn, at, {}), 0),
      );
    }
    const ref = rule.busName === 'default' ? rule.name : `${rule.busName}|${rule.name}`;
    return { ref, attributes: { Arn: rule.arn } };
  }

  #createArchive(request: ResourceRequest): ProvisionedResource {
    const properties = parseProperties(archiveSchema, request);
    const name = properties.ArchiveName ?? generatedName(request);
    const bus = this.#buses.get(properties.SourceArn);
    const arn = this.#buses.arn(`archive/${name}`);
    const pattern = namedPattern(name, properties.EventPattern);
    const archive = new Archive({
      arn,
      busName: bus.name,
      pattern,
      file: archiveFile(this.#options.dataDir, name),
    });
    bus.archives.push(archive);
    this.#archives.set(name, archive);
    return { ref: name, attributes: { Arn: arn, ArchiveName: name } };
  }

  #createSchedule(request: ResourceRequest): ProvisionedResource {
    const properties = parseProperties(scheduleSchema, request);
    const name = properties.Name ?? generatedName(request);
    const resource = provisionedSchedule(this.#options.place, name, properties.GroupName ?? 'default');
    const schedule = namedSchedule(name, properties.ScheduleExpression);
    const arn = resource.attributes['Arn'] ?? '';
    if (properties.State !== 'DISABLED') {
      this.#timers.start(schedule, (at) => this.#fireSchedule(arn, properties.Target, at));
    }
    return resource;
  }

  #fireSchedule(arn: string, target: ScheduleProperties['Target'], at: Date): void {
    const time = isoSeconds(at);
    const text = target.Input ?? this.#scheduledEvent('aws.scheduler', arn, at, '{}');
    const filled = text
      .replaceAll('<aws.scheduler.schedule-arn>', arn)
      .replaceAll('<aws.scheduler.scheduled-time>', time)
      .replaceAll('<aws.scheduler.execution-id>', randomUUID())
      .replaceAll('<aws.scheduler.attempt-number>', '1');
    this.#deliveries.start({
      targetArn: target.Arn,
      payload: () => filled,
      eventText: filled,
      origin: { SCHEDULE_ARN: arn, SCHEDULED_TIME: time },
      ...limits(target),
    });
  }

  #createScheduleGroup(request: ResourceRequest): ProvisionedResource {
    const { region, accountId } = this.#options.place;
    const given = request.properties['Name'];
    const name = typeof given === 'string' ? given : generatedName(request);
    return {
      ref: name,
      attributes: { Arn: `arn:aws:scheduler:${region}:${accountId}:schedule-group/${name}` },
    };
  }

  #scheduledEvent(source: string, arn: string, at: Date, detail: unknown): string {
    return JSON.stringify({
      version: '0',
      id: randomUUID(),
      'detail-type': 'Scheduled Event',
      source,
      account: this.#options.place.accountId,
      time: isoSeconds(at),
      region: this.#options.place.region,
      resources: [arn],
      detail,
    });
  }
}

function limits(target: Pick<Target, 'RetryPolicy' | 'DeadLetterConfig'>) {
  return {
    maxRetryAttempts: target.RetryPolicy?.MaximumRetryAttempts,
    maxEventAgeSeconds: target.RetryPolicy?.MaximumEventAgeInSeconds,
    deadLetterArn: target.DeadLetterConfig?.Arn,
  };
}
