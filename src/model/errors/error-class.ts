/**
 * What the reconcile loop does about an error depends on its class alone:
 * invalid and unsupported wait for a change; not-found and already-exists observe again at once;
 * conflict, precondition, unavailable, exhausted and timeout back off; denied backs off slowly;
 * data-loss waits for approval; bug parks its key and leaves the others alone.
 */
export const ERROR_CLASSES = [
  'invalid',
  'unsupported',
  'not-found',
  'already-exists',
  'conflict',
  'precondition',
  'unavailable',
  'exhausted',
  'timeout',
  'denied',
  'data-loss',
  'bug',
] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

/**
 * Failures of a start that lie in the container: its image, command or settings. Only an edit fixes them, so no one has to
 * wait for the next try; the host's troubles, and what neighbours do, pass by themselves.
 */
export const OWN_FAILURES: ReadonlySet<string> = new Set<ErrorClass>([
  'precondition',
  'invalid',
  'unsupported',
  'not-found',
  'denied',
]);
