import { makeAlert } from '@alert-throttle/alert';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crossingDetails } from './events.ts';
import { sharedDetails } from './shared-details.ts';

const text = fc.oneof(fc.constantFrom('', 'default', 'node-1'), fc.string({ maxLength: 600, size: 'max' }));

it('says the same as what it was made of', () => {
  const owner = fc.option(fc.record({ Ref: text, Name: text, Namespace: text }));
  const fields = fc.record({
    ClusterName: text,
    HostName: text,
    NodeID: text,
    NamespaceName: text,
    PodName: text,
    Labels: text,
    ContainerName: text,
    ContainerID: text,
    ContainerImage: text,
    Owner: owner,
    Operation: text,
    PolicyName: text,
    Source: text,
    Resource: text,
  });
  fc.assert(
    fc.property(fields, text, (alert, key) => {
      const details = crossingDetails(makeAlert(alert));
      expect(sharedDetails(details, key)).toEqual(details);
    }),
  );
});
