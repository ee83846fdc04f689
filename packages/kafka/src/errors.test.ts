import { describe, expect, test } from 'vitest';
import { kafkaFailure } from './errors.ts';

function failure(fields: Partial<Error> & Record<string, unknown>): Error {
  return Object.assign(new Error(fields.message ?? ''), fields);
}

describe('kafkaFailure', () => {
  test.each([
    [
      failure({ message: 'Connection error: connect ECONNREFUSED 127.0.0.1:1', code: 'ECONNREFUSED' }),
      'KAFKA_REFUSED',
    ],
    [failure({ message: 'Connection error: getaddrinfo ENOTFOUND nowhere' }), 'KAFKA_UNREACHABLE'],
    [failure({ message: 'Connection timeout' }), 'KAFKA_NO_ANSWER'],
    [
      failure({ name: 'KafkaJSRequestTimeoutError', message: 'Request Metadata timed out' }),
      'KAFKA_NO_ANSWER',
    ],
    [failure({ name: 'KafkaJSConnectionClosedError', message: 'Closed connection' }), 'KAFKA_CLOSED'],
    [failure({ message: 'self-signed certificate', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'KAFKA_TLS'],
    [failure({ name: 'KafkaJSSASLAuthenticationError', message: 'no' }), 'KAFKA_PASSWORD_WRONG'],
    [failure({ type: 'TOPIC_AUTHORIZATION_FAILED', message: 'no' }), 'KAFKA_NOT_PERMITTED'],
    [
      failure({ type: 'INVALID_REPLICATION_FACTOR', message: 'Replication factor 3 is too large' }),
      'KAFKA_ANSWERED_ERROR',
    ],
  ])('given %s, then it is told as %s, with the address', (error, code) => {
    expect(kafkaFailure(error, ['host:1'])).toMatchObject({ code, cause: error });
    expect(kafkaFailure(error, ['host:1']).message).toContain('host:1');
  });

  test('given an error that wraps the failure of the last attempt, then that one counts, with its own address', () => {
    const root = failure({ message: 'connect ECONNREFUSED', code: 'ECONNREFUSED', broker: 'other:2' });
    const told = kafkaFailure(new Error('retries exceeded', { cause: root }), ['host:1']);
    expect(told.code).toBe('KAFKA_REFUSED');
    expect(told.message).toContain('other:2');
  });
});
