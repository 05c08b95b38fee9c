/** `network app/back`, as messages call the network of a key. */
export const networkName = (key: string): string => `network ${key.replace(/^network\/+/, '')}`;
