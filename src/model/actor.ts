/** Who changed what is declared. */
export interface Actor {
  readonly uid: number;
  /** As /etc/passwd names them; null where it does not. */
  readonly user: string | null;
  /** `api`: the process that asked; `file`: the owner of the changed manifest, who need not be who wrote it. */
  readonly via: 'api' | 'file';
}
