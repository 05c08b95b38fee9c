/** What the timeline has of the resolver. */
export interface ResolverEvent {
  readonly what: 'started' | 'adopted' | 'replaced' | 'failed' | 'ended';
  readonly ok: boolean;
  readonly message: string;
}
