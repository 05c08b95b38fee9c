import type { RecordedPort } from '../state/container-record.ts';

/** `0.0.0.0:8080/tcp`: equal texts, same published port. */
export const portName = ({ hostIp, hostPort, protocol }: Omit<RecordedPort, 'containerPort'>): string =>
  `${hostIp}:${hostPort}/${protocol}`;
