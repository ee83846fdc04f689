// A Kafka as a cluster of many teams has it: TLS, users with passwords or certificates, and nobody may do anything
// that no ACL allows. The broker's own plaintext listener, which the test itself uses, is its superuser's.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { OwnKafka } from '@alert-throttle/test-kit';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';

/** Both mechanisms ask for these users' passwords. */
export const PASSWORDS = {
  producer: 'of-the-producer',
  throttler: 'of-the-throttler',
  reader: 'of-the-reader',
};
export type User = keyof typeof PASSWORDS;

export interface SecuredKafka {
  readonly kafka: OwnKafka;
  /** host:port: TLS and SASL. */
  readonly sasl: string;
  /** host:port: TLS, and users by their certificates. */
  readonly mutual: string;
  readonly caFile: string;
  /** PEM files of a user's certificate and key. */
  certificateOf(user: User): { readonly cert: string; readonly key: string };
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}

class Authority {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    const files = ['-keyout', this.key('ca'), '-out', this.cert('ca')];
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...files, '-subj', '/CN=test CA');
  }

  key(name: string): string {
    return join(this.#folder, `${name}.key.pem`);
  }

  cert(name: string): string {
    return join(this.#folder, `${name}.cert.pem`);
  }

  /** PKCS#8 key and certificate in one file, as Kafka takes them. */
  both(name: string): string {
    const path = join(this.#folder, `${name}.pem`);
    writeFileSync(path, readFileSync(this.key(name), 'utf8') + readFileSync(this.cert(name), 'utf8'));
    return path;
  }

  issue(name: string, ...extensions: readonly string[]): void {
    const request = join(this.#folder, `${name}.csr`);
    const subject = ['-subj', `/CN=${name}`, ...extensions.flatMap((one) => ['-addext', one])];
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', this.key(name), '-out', request, ...subject);
    const by = [
      '-CA',
      this.cert('ca'),
      '-CAkey',
      this.key('ca'),
      '-CAcreateserial',
      '-copy_extensions',
      'copy',
    ];
    openssl('x509', '-req', '-in', request, ...by, '-days', '2', '-out', this.cert(name));
  }
}

/** Started; its files are in the folder. */
export async function startSecuredKafka(folder: string): Promise<SecuredKafka> {
  const authority = new Authority(folder);
  authority.issue('broker', 'subjectAltName=IP:127.0.0.1');
  const users = Object.keys(PASSWORDS) as User[];
  for (const user of users) authority.issue(user);
  const plainUsers = users.map((user) => `user_${user}="${PASSWORDS[user]}"`).join(' ');
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  const kafka = await OwnKafka.start({
    listeners: { SASL: 'SASL_SSL', MUTUAL: 'SSL' },
    scramUsers: users.flatMap((user) =>
      ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(
        (mechanism) => `${mechanism}=[name=${user},password=${PASSWORDS[user]}]`,
      ),
    ),
    properties: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': authority.both('broker'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': authority.cert('ca'),
      'listener.name.mutual.ssl.client.auth': 'required',
      'listener.name.mutual.ssl.principal.mapping.rules': 'RULE:^CN=([^,]+)$/$1/',
      'listener.name.sasl.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.sasl.plain.sasl.jaas.config': `${plain} required ${plainUsers};`,
      'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${scram} required;`,
      'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${scram} required;`,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  });
  return {
    kafka,
    sasl: kafka.broker.addressOf('SASL'),
    mutual: kafka.broker.addressOf('MUTUAL'),
    caFile: authority.cert('ca'),
    certificateOf: (user) => ({ cert: authority.cert(user), key: authority.key(user) }),
  };
}

const OPERATIONS: Readonly<Record<string, AclOperationTypes>> = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
  Delete: AclOperationTypes.DELETE,
};

const RESOURCES: Readonly<Record<string, AclResourceTypes>> = {
  '--topic': AclResourceTypes.TOPIC,
  '--group': AclResourceTypes.GROUP,
  '--transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
};

/** Does what `kafka-acls --add` with these arguments does. Throws for an argument that it does not know. */
export async function addAcls(kafka: OwnKafka, command: string): Promise<void> {
  const words = command.trim().split(/\s+/);
  const operations: AclOperationTypes[] = [];
  const resources: { readonly resourceType: AclResourceTypes; readonly resourceName: string }[] = [];
  let principal = '';
  let resourcePatternType = ResourcePatternTypes.LITERAL;
  while (words.length > 0) {
    const flag = words.shift() ?? '';
    if (flag === '--add') continue;
    const value = words.shift() ?? '';
    const [operation, resourceType] = [OPERATIONS[value], RESOURCES[flag]];
    if (flag === '--allow-principal') principal = value;
    else if (flag === '--operation' && operation !== undefined) operations.push(operation);
    else if (flag === '--resource-pattern-type' && value === 'prefixed') {
      resourcePatternType = ResourcePatternTypes.PREFIXED;
    } else if (resourceType !== undefined) resources.push({ resourceType, resourceName: value });
    else throw new Error(`an ACL that the test does not understand: ${flag} ${value}`);
  }
  const admin = kafka.client().admin();
  await admin.connect();
  try {
    const acl = resources.flatMap((resource) =>
      operations.map((operation) => ({
        ...resource,
        resourcePatternType,
        principal,
        host: '*',
        operation,
        permissionType: AclPermissionTypes.ALLOW,
      })),
    );
    await admin.createAcls({ acl });
  } finally {
    await admin.disconnect();
  }
}
