// The sample of alerts, for whoever needs some in the shapes that KubeArmor emits.
export { planSample, SAMPLE_MS, type SampleContainer, type SampleLimits, type SampleLine } from './sample.ts';
