// How every program here is told to stop.
export { stopSignal, type SignalSource, type StopSignalOptions } from './stop-signal.ts';
