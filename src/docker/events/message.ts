/** An event as clients get it. */

type EventType = 'container' | 'image' | 'network' | 'volume' | 'builder';
export type Attributes = Readonly<Record<string, string>>;

export interface EventDraft {
  readonly type: EventType;
  readonly action: string;
  readonly id: string;
  readonly attributes: Attributes;
}

export interface EventMessage {
  /** Older clients read the first three, of containers and images alone. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
  readonly Type: EventType;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Attributes };
  readonly scope: 'local';
  readonly time: number;
  readonly timeNano: number;
}

export function messageOf({ type, action, id, attributes }: EventDraft, atNs: bigint): EventMessage {
  const { image } = attributes;
  return {
    ...(['container', 'image'].includes(type) && { status: action, id }),
    ...(type === 'container' && image !== undefined && { from: image }),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Number(atNs / 1_000_000_000n),
    // Clients read it as an integer; what a double cannot hold of it are the last few hundred nanoseconds.
    timeNano: Number(atNs),
  };
}
