/** Mounts as a manifest writes them. */

export interface Mount {
  /** A volume's name or a path of the host; null for an anonymous volume. */
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
}

/** As short as it can be written; colons in a path need the long form. */
export function mountText({ source, target, readOnly }: Mount): unknown {
  if (source === null && !target.includes(':') && !readOnly) return target;
  if (source === null || source.includes(':') || target.includes(':')) {
    return { ...(source !== null && { source }), target, ...(readOnly && { readOnly }) };
  }
  return `${source}:${target}${readOnly ? ':ro' : ''}`;
}
