import { TsdError } from './errors.ts';

/** A port of the host that another container of ours publishes: who looks it up can say which one, and by what line. */
export class PortHeldError extends TsdError {
  /** Id of the container that has it. */
  readonly holder: string;

  /** @param where address, port and protocol: `0.0.0.0:80/tcp` */
  constructor(where: string, holder: string) {
    super('TSD_PORT_IN_USE', `host port ${where} is published by container ${holder.slice(0, 12)}`, {
      step: `publish ${where}`,
    });
    this.holder = holder;
  }
}
