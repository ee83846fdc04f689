// What other packages of this workspace may use of the producer: its settings, to show or to check them.
export { producerSettings, type ProducerConfig } from './config.ts';
