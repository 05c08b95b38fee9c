import { expect, test } from 'vitest';
import { DEFAULT_NETWORK } from '../../../src/model/network-mode.ts';
import { attachedTo } from '../../../src/reconcile/plan/references.ts';
import { declare } from '../../support/declare.ts';

test('a network has the containers that name it, the default bridge those without a network', () => {
  const { resources } = declare({
    app: {
      images: { busybox: 'sha' },
      networks: { back: {} },
      containers: {
        inner: { image: 'busybox', network: 'back' },
        plain: { image: 'busybox' },
        named: { image: 'busybox', network: 'bridge' },
        shared: { image: 'busybox', network: 'container:plain' },
        none: { image: 'busybox', network: 'none' },
        host: { image: 'busybox', network: 'host' },
      },
    },
  });
  expect(attachedTo('network/app/back', resources)).toEqual(['container/app/inner']);
  expect([...attachedTo(DEFAULT_NETWORK, resources)].sort()).toEqual(['container/app/named', 'container/app/plain']);
});
