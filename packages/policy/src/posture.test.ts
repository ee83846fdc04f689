/** What settings and annotations make of a container. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_POSTURE_SETTINGS, treatmentOf } from './posture.ts';

const web = { namespace: 'shop', labels: { app: 'web' }, containerName: 'web' };
const settings = DEFAULT_POSTURE_SETTINGS;

describe('treatmentOf', () => {
  it('enables policies and audits what is not listed, unless told otherwise', () => {
    expect(treatmentOf(web, settings)).toEqual({
      treatment: 'enabled',
      options: {
        audited: false,
        postures: { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' },
      },
      problems: [],
    });
  });

  it('takes postures from the settings, those of process rules from that of files', () => {
    const strict = { ...settings, defaultFilePosture: 'block' as const };
    const { options } = treatmentOf(web, strict);
    expect(options.postures).toEqual({
      process: 'block',
      file: 'block',
      network: 'audit',
      capability: 'audit',
    });
  });

  it("lets the namespace's annotations decide, in upper or lower case", () => {
    const namespaceAnnotations = {
      'kubearmor-file-posture': 'audit',
      'kubearmor-network-posture': 'Block',
      'kubearmor-capabilities-posture': 'block',
    };
    const strict = { ...settings, defaultFilePosture: 'block' as const };
    const { options, problems } = treatmentOf({ ...web, namespaceAnnotations }, strict);
    expect(options.postures).toEqual({
      process: 'audit',
      file: 'audit',
      network: 'block',
      capability: 'block',
    });
    expect(problems).toEqual([]);
  });

  it.each(['enabled', 'audited', 'disabled'] as const)(
    'takes %s from the annotation of the pod',
    (wished) => {
      const { treatment, options } = treatmentOf(
        { ...web, podAnnotations: { 'kubearmor-policy': wished } },
        settings,
      );
      expect(treatment).toBe(wished);
      expect(options.audited).toBe(wished === 'audited');
    },
  );

  it('says what is wrong with an annotation, and goes by the settings', () => {
    const odd = {
      ...web,
      podAnnotations: { 'kubearmor-policy': 'off' },
      namespaceAnnotations: { 'kubearmor-file-posture': 'deny' },
    };
    const { treatment, options, problems } = treatmentOf(odd, settings);
    expect(treatment).toBe('enabled');
    expect(options.postures.file).toBe('audit');
    expect(problems).toEqual([
      'kubearmor-policy: found "off"; accepted: enabled, audited, disabled',
      'kubearmor-file-posture: found "deny"; accepted: audit, block',
    ]);
  });

  it('leaves namespaces alone that are not tracked', () => {
    const podAnnotations = { 'kubearmor-policy': 'enabled' };
    expect(treatmentOf({ ...web, namespace: 'kube-system', podAnnotations }, settings).treatment).toBe(
      'disabled',
    );
  });

  it('only audits where nothing may be refused, once that namespace is tracked', () => {
    const tracked = { ...settings, untrackedNamespaces: [] };
    expect(treatmentOf({ ...web, namespace: 'kube-system' }, tracked).treatment).toBe('audited');
    const podAnnotations = { 'kubearmor-policy': 'disabled' };
    expect(treatmentOf({ ...web, namespace: 'kube-system', podAnnotations }, tracked).treatment).toBe(
      'disabled',
    );
  });

  it('finds no annotation in what every object has', () => {
    expect(treatmentOf({ ...web, podAnnotations: {} }, settings).problems).toEqual([]);
  });
});
