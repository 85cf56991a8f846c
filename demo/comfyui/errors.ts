/** Failures with names. `code` is stable, `retryable` says whether the same call may succeed later. */
export abstract class DemoPodError extends Error {
  abstract readonly code: string;
  readonly retryable: boolean = false;
}

/** Answers with an HTTP status; the body is plain text, as aiohttp writes it. */
export class HttpError extends DemoPodError {
  readonly code = 'http';
  readonly status: number;
  constructor(status: number, message = `${status}`) {
    super(message);
    this.status = status;
  }
}

/** A node failed: becomes an `execution_error` frame. `exceptionType` is a Python class name. */
export class NodeFailure extends DemoPodError {
  readonly code = 'nodeFailure';
  readonly exceptionType: string;
  constructor(exceptionType: string, message: string) {
    super(message);
    this.exceptionType = exceptionType;
  }
}

/** POST /interrupt reached the running node. */
export class Interrupted extends DemoPodError {
  readonly code = 'interrupted';
  constructor() {
    super('interrupted');
  }
}

/** The pod went away (crash, close, dead worker) while a node ran: nothing more is to be reported. */
export class RunAborted extends DemoPodError {
  readonly code = 'runAborted';
  constructor() {
    super('aborted');
  }
}
