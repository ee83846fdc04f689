/** The alert record: its type, its bytes, and its text. */
export { containerKey, isEligible, makeAlert, type LeadingFields } from './alert.ts';
export { AlertCodec } from './codec.ts';
export {
  ALERT_FORMAT_CODES,
  AlertFormatError,
  RegistryUnavailableError,
  type AlertFormatCode,
} from './errors.ts';
export { formatAlert } from './format.ts';
export type * from './generated/alert.ts';
export { createReader, type AlertReader } from './reader.ts';
export type { RegistryOptions } from './registry.ts';
export { releasedSchemas, type ReleasedSchema } from './schemas.ts';
export { schemaIdOf } from './wire.ts';
export { AlertWriter } from './writer.ts';
