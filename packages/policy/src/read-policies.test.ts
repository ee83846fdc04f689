/** What is read from policies, and how everything else is refused. */
import { describe, expect, it } from 'vitest';
import { PolicyError, renderProblem } from './problems.ts';
import { MAX_RULES_OF_A_POLICY, parsePolicies, readPolicies } from './read-policies.ts';
import type { PolicyRule } from './types.ts';
import { MAX_FILE_BYTES } from './yaml-documents.ts';

const HEAD = 'apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {name: p}\n';

function rulesIn(spec: string): readonly PolicyRule[] {
  return parsePolicies([{ file: 'p.yaml', text: `${HEAD}spec:\n${spec}` }])[0]?.rules ?? [];
}

function messages(text: string): string[] {
  return readPolicies([{ file: 'p.yaml', text }]).problems.map(renderProblem);
}

/** The problems of one policy with this spec, without the words that all of them begin with. */
function problemsOf(spec: string): string[] {
  return messages(`${HEAD}spec:\n${spec}`).map((message) => message.replace(/^.*?\(default\/p\): /, ''));
}

describe('a policy', () => {
  it('is read with all that is supported', () => {
    const text = `
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata:
  name: everything
  namespace: shop
  labels: {kept: aside}
spec:
  severity: 3
  tags: [MITRE]
  message: from the policy
  selector:
    matchLabels:
      app: web
      kubearmor.io/container.name: "[web, sidecar]"
    matchExpressions:
      - key: label
        operator: NotIn
        values: [env=test, a=b=c]
  process:
    matchPaths:
      - path: /usr/bin/nc
        ownerOnly: true
        fromSource:
          - path: /bin/sh
          - path: /bin/bash
      - execname: curl
        action: Audit
    matchDirectories:
      - dir: /tmp/
        recursive: true
  file:
    severity: 7
    matchPaths:
      - path: /etc/passwd
        readOnly: true
    matchDirectories:
      - dir: /
        ownerOnly: true
        tags: [own]
        message: from the rule
  network:
    action: Allow
    matchProtocols:
      - protocol: TCP, udp
  capabilities:
    matchCapabilities:
      - capability: net_raw,sys_admin
        fromSource:
          - path: /bin/ping
  action: Block
status: {status: OK}
`;
    const { policies, problems, warnings } = readPolicies([{ file: 'p.yaml', text }]);
    expect(problems).toEqual([]);
    expect(warnings).toEqual([]);
    const [policy] = policies;
    expect(policy).toMatchObject({ name: 'everything', namespace: 'shop' });
    expect(policy?.selector).toEqual({
      labels: new Map([['app', 'web']]),
      anyOf: [],
      noneOf: ['env=test', 'a=b=c'],
      containers: ['web', 'sidecar'],
    });
    const block = { action: 'Block', severity: '3', tags: ['MITRE'], message: 'from the policy' };
    const plain = { ...block, readOnly: false, ownerOnly: false };
    expect(policy?.rules).toEqual([
      { ...plain, kind: 'process', match: 'exact', path: '/usr/bin/nc', ownerOnly: true, source: '/bin/sh' },
      {
        ...plain,
        kind: 'process',
        match: 'exact',
        path: '/usr/bin/nc',
        ownerOnly: true,
        source: '/bin/bash',
      },
      { ...plain, kind: 'process', match: 'execname', path: 'curl', action: 'Audit' },
      { ...plain, kind: 'process', match: 'dirRecursive', path: '/tmp/' },
      { ...plain, kind: 'file', match: 'exact', path: '/etc/passwd', readOnly: true, severity: '7' },
      {
        ...plain,
        kind: 'file',
        match: 'dir',
        path: '/',
        ownerOnly: true,
        severity: '7',
        tags: ['own'],
        message: 'from the rule',
      },
      { ...plain, kind: 'network', match: 'protocol', path: 'tcp', action: 'Allow' },
      { ...plain, kind: 'network', match: 'protocol', path: 'udp', action: 'Allow' },
      { ...plain, kind: 'capability', match: 'capability', path: 'net_raw', source: '/bin/ping' },
      { ...plain, kind: 'capability', match: 'capability', path: 'sys_admin', source: '/bin/ping' },
    ]);
  });

  it('takes action and severity from rule, section and policy, and else Block and 1', () => {
    const found = rulesIn(`
  file:
    matchPaths: [{path: /a}, {path: /b, action: Allow, severity: 9}]
  process:
    action: Audit
    severity: 4
    matchPaths: [{path: /a}, {path: /b, action: Allow}]
`);
    expect(found.map(({ action, severity }) => `${action} ${severity}`)).toEqual([
      'Audit 4',
      'Allow 4',
      'Block 1',
      'Allow 9',
    ]);
  });

  it('is in the namespace default where it names none', () => {
    expect(parsePolicies([{ file: 'p', text: `${HEAD}spec: {}` }])[0]?.namespace).toBe('default');
  });

  it('may stand with others in one file; empty documents are counted, and nothing else', () => {
    const text = `---\n# nothing\n---\n${HEAD}spec: {}\n---\n${HEAD.replace('name: p', 'name: q')}spec: {severity: 11}\n`;
    const { policies, problems } = readPolicies([{ file: 'p.yaml', text }]);
    expect(policies.map(({ name }) => name)).toEqual(['p']);
    expect(problems).toEqual([
      {
        file: 'p.yaml',
        document: 3,
        policy: 'default/q',
        line: 12,
        path: 'spec.severity',
        message: 'is too large; accepted: at most 10',
      },
    ]);
  });

  it('is refused where another has its name, in whatever file', () => {
    const text = `${HEAD}spec: {}`;
    const { policies, problems } = readPolicies([
      { file: 'a.yaml', text },
      { file: 'b.yaml', text },
    ]);
    expect(policies).toHaveLength(1);
    expect(problems.map(renderProblem)).toEqual([
      'b.yaml:3: document 1 (default/p): metadata.name: there is another policy default/p',
    ]);
  });
});

describe('what is not supported', () => {
  it.each([
    [
      '  process: {matchPatterns: [{pattern: "/bin/*"}]}',
      'spec.process.matchPatterns',
      'patterns are not supported',
    ],
    ['  file: {matchPatterns: []}', 'spec.file.matchPatterns', 'patterns are not supported'],
    ['  syscalls: {matchSyscalls: [{syscall: [read]}]}', 'spec.syscalls', 'rules on system calls'],
    ['  presets: [{name: filelessExec}]', 'spec.presets', 'presets are not supported'],
    ['  apparmor: deny /x r,', 'spec.apparmor', 'native AppArmor text'],
    ['  selinux: {matchVolumeMounts: []}', 'spec.selinux', 'SELinux'],
    ['  network: {matchDNSQueries: [{domain: a.b}]}', 'spec.network.matchDNSQueries', 'rules on DNS queries'],
    [
      '  process: {matchPaths: [{path: /a, pts: true}]}',
      'spec.process.matchPaths[0].pts',
      'rules on terminals',
    ],
    [
      '  process: {matchPaths: [{path: /a, allowedArgs: [x]}]}',
      'spec.process.matchPaths[0].allowedArgs',
      'rules on arguments',
    ],
    [
      '  file: {matchDirectories: [{dir: /a/, pts: true}]}',
      'spec.file.matchDirectories[0].pts',
      'rules on terminals',
    ],
    ['  nodeSelector: {}', 'spec.nodeSelector', 'policies for hosts'],
    ['  status: Inactive', 'spec.status', 'a policy cannot be set inactive'],
    [
      '  process: {matchPaths: [{path: /a, readOnly: true}]}',
      'spec.process.matchPaths[0].readOnly',
      'unknown field',
    ],
    ['  process: {recursive: true}', 'spec.process.recursive', 'unknown field'],
    ['  <<: {severity: 1}', 'spec["<<"]', 'unknown field'],
    [
      '  file: {matchPaths: [{path: /a, fromSource: [{path: /b, dir: /c/}]}]}',
      'spec.file.matchPaths[0].fromSource[0].dir',
      'unknown field',
    ],
  ])('%s is refused by name', (spec, path, reason) => {
    const [problem, ...others] = problemsOf(spec);
    expect(others).toEqual([]);
    expect(problem).toContain(`${path}: ${reason}`);
    expect(problem).toContain('; accepted: ');
  });

  it.each([
    'KubeArmorHostPolicy',
    'KubeArmorClusterPolicy',
    'KubeArmorNetworkPolicy',
    'NetworkPolicy',
    'CiliumNetworkPolicy',
    'List',
    'ConfigMap',
  ])('kind %s is refused by name', (kind) => {
    expect(messages(`kind: ${kind}\nspec: {whatever: true}\n`)).toEqual([
      expect.stringMatching(
        new RegExp(`^p.yaml:1: document 1: kind: "${kind}": .+; accepted: KubeArmorPolicy$`),
      ),
    ]);
  });
});

describe('what is wrong', () => {
  it.each([
    [
      '  file: {matchPaths: [{path: etc/passwd}]}',
      'spec.file.matchPaths[0].path: "etc/passwd" is not absolute',
    ],
    ['  file: {matchPaths: [{path: /etc/}]}', 'spec.file.matchPaths[0].path: "/etc/" names a directory'],
    ['  file: {matchPaths: [{path: /}]}', 'spec.file.matchPaths[0].path: "/" names a directory'],
    ['  file: {matchPaths: [{path: //etc/a}]}', 'spec.file.matchPaths[0].path: "//etc/a" has "//" in it'],
    ['  file: {matchPaths: [{path: /etc/../a}]}', 'spec.file.matchPaths[0].path: "/etc/../a" has ".." in it'],
    ['  file: {matchPaths: [{path: /etc/./a}]}', 'spec.file.matchPaths[0].path: "/etc/./a" has "." in it'],
    [
      '  file: {matchPaths: [{path: "/a\\0b"}]}',
      'spec.file.matchPaths[0].path: "/a\\u0000b" has a zero byte',
    ],
    ['  file: {matchPaths: [{}]}', 'spec.file.matchPaths[0].path: found nothing; accepted: a text'],
    ['  file: {matchPaths: {path: /a}}', 'spec.file.matchPaths: found fields; accepted: a list'],
    ['  file: {matchPaths: }', 'spec.file.matchPaths: found nothing; accepted: a list'],
    [
      '  file: {matchPaths: [{path: /a, fromSource: []}]}',
      'spec.file.matchPaths[0].fromSource: is too short; accepted: at least 1 entries',
    ],
    [
      '  file: {matchPaths: [{path: /a, fromSource: [{path: sh}]}]}',
      'fromSource[0].path: "sh" is not absolute',
    ],
    [
      '  file: {matchPaths: [{path: /a, readOnly: yes}]}',
      'spec.file.matchPaths[0].readOnly: found "yes"; accepted: true or false',
    ],
    [
      '  file: {matchDirectories: [{dir: /etc}]}',
      'spec.file.matchDirectories[0].dir: "/etc" does not end with "/": write "/etc/"',
    ],
    ['  file: {matchDirectories: [{dir: /a//}]}', 'spec.file.matchDirectories[0].dir: "/a//" has "//" in it'],
    ['  file: {matchDirectories: [{dir: //}]}', 'spec.file.matchDirectories[0].dir: "//" has "//" in it'],
    [
      '  process: {matchPaths: [{path: /a, execname: a}]}',
      'spec.process.matchPaths[0]: has both path and execname',
    ],
    [
      '  process: {matchPaths: [{ownerOnly: true}]}',
      'spec.process.matchPaths[0]: names nothing; accepted: path or execname',
    ],
    [
      '  process: {matchPaths: [{execname: bin/sh}]}',
      'spec.process.matchPaths[0].execname: "bin/sh" has a slash in it',
    ],
    [
      '  process: {matchPaths: [{execname: ".."}]}',
      'spec.process.matchPaths[0].execname: ".." is no name of a file',
    ],
    [
      '  network: {matchProtocols: [{protocol: "tcp,quic"}]}',
      'spec.network.matchProtocols[0].protocol: "tcp,quic" has "quic" in it; accepted, also several with commas: all, tcp,',
    ],
    ['  network: {matchProtocols: [{protocol: "tcp,"}]}', 'has "" in it'],
    [
      '  capabilities: {matchCapabilities: [{capability: CAP_CHOWN}]}',
      'has "cap_chown" in it; accepted, also several with commas: chown,',
    ],
    ['  action: block', 'spec.action: found "block"; accepted: Allow, Audit, Block'],
    ['  severity: 0', 'spec.severity: is too small; accepted: at least 1'],
    ['  severity: 1.5', 'spec.severity: found 1.5; accepted: a whole number'],
    ['  severity: "5"', 'spec.severity: found "5"; accepted: a whole number'],
    ['  tags: [1]', 'spec.tags[0]: found 1; accepted: a text'],
    ['  selector: {matchLabels: {app: 1}}', 'spec.selector.matchLabels.app: found 1; accepted: a text'],
    [
      '  selector: {matchLabels: {namespaceName: x}}',
      '"namespaceName" is no label of pods; use metadata.namespace',
    ],
    ['  selector: {matchLabels: {kubearmor.io/hostname: x}}', '"kubearmor.io/hostname" is for hosts'],
    ['  selector: {matchLabels: {kubearmor.io/container.name: ".*"}}', '".*" is no name of a container'],
    ['  selector: {matchLabels: {kubearmor.io/container.name: "[]"}}', '"" is no name of a container'],
    [
      '  selector: {matchExpressions: [{key: label, operator: Exists, values: [a=b]}]}',
      'found "Exists"; accepted: In, NotIn',
    ],
    [
      '  selector: {matchExpressions: [{key: app, operator: In, values: [a=b]}]}',
      'found "app"; accepted: label',
    ],
    [
      '  selector: {matchExpressions: [{key: label, operator: In, values: [a]}]}',
      '"a" is no label; accepted: key=value',
    ],
    [
      '  selector: {matchExpressions: [{key: label, operator: In, values: []}]}',
      'is too short; accepted: at least 1 entries',
    ],
    [
      '  selector: {matchExpressions: [{key: label, operator: In, values: ["kubearmor.io/container.name=a"]}]}',
      'can stand in matchLabels only',
    ],
    [
      '  selector: {matchExpressions: [{key: label, operator: In, values: [a=b]}, {key: label, operator: NotIn, values: [a=c]}]}',
      'has In and NotIn',
    ],
    ['  selector: {matchLabels: {__proto__: x}}', 'a key cannot be named "__proto__"'],
  ])('%s', (spec, expected) => {
    const problems = problemsOf(spec);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(expected);
  });

  it('of paths that no file can have is told by how much they are too long', () => {
    const problemOf = (path: string): string =>
      problemsOf(`  file: {matchPaths: [{path: "${path}"}]}`).join();
    expect(problemOf(`/${'n'.repeat(256)}`)).toContain('has a name of more than 255 bytes');
    expect(problemOf(`/${'ö'.repeat(128)}`)).toContain('has a name of more than 255 bytes');
    expect(problemOf(`/${'ö'.repeat(127)}n`)).toBe('');
    expect(problemOf('/abcdefg'.repeat(512))).toContain('is longer than 4095 bytes');
    expect(problemOf('/a'.repeat(129))).toContain('has 129 components, more than 128');
    expect(problemOf('/a'.repeat(128))).toBe('');
  });

  it('of any part is said with what is wrong elsewhere, in one error', () => {
    const wrong = `${HEAD}spec:\n  severity: 11\n  syscalls: {}\n  file:\n    matchPaths:\n      - path: a\n      - path: b\n`;
    const parse = (): unknown =>
      parsePolicies([
        { file: 'a.yaml', text: wrong },
        { file: 'b.yaml', text: 'kind: KubeArmorHostPolicy' },
      ]);
    expect(parse).toThrow(PolicyError);
    expect(parse).toThrow(expect.objectContaining({ code: 'POLICY_INVALID', retryable: false }));
    const lines = readPolicies([
      { file: 'a.yaml', text: wrong },
      { file: 'b.yaml', text: 'kind: KubeArmorHostPolicy' },
    ]).problems.map(({ file, line, path }) => `${file}:${line ?? '?'} ${path}`);
    expect(lines.sort()).toEqual(
      [
        'a.yaml:5 spec.severity',
        'a.yaml:6 spec.syscalls',
        'a.yaml:9 spec.file.matchPaths[0].path',
        'a.yaml:10 spec.file.matchPaths[1].path',
        'b.yaml:1 kind',
      ].sort(),
    );
  });

  it.each([
    ['', 'found nothing'],
    [
      'apiVersion: security.kubearmor.com/v2\nkind: KubeArmorPolicy\nmetadata: {name: p}\nspec: {}',
      'apiVersion: found "security.kubearmor.com/v2"; accepted: security.kubearmor.com/v1',
    ],
    [
      'apiVersion: security.kubearmor.com/v1\nmetadata: {name: p}\nspec: {}',
      'kind: found nothing; accepted: KubeArmorPolicy',
    ],
    [
      'apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {}\nspec: {}',
      'metadata.name: found nothing',
    ],
    [
      'apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {name: A b}\nspec: {}',
      'metadata.name: "A b" is no name',
    ],
    [
      'apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {name: p}',
      'spec: found nothing; accepted: fields with values',
    ],
    ['- a', 'found a list; accepted: fields with values'],
    ['text', 'found "text"; accepted: fields with values'],
    [`${HEAD}spec: !!binary aGk=`, 'is no plain YAML'],
    [`${HEAD}spec: !important {}`, 'is no plain YAML'],
    [`${HEAD}spec: {}\nspec: {}`, 'Map keys must be unique'],
    [`${HEAD}spec: {[a]: b}`, 'is no plain YAML'],
    [`${HEAD}spec: {`, 'is no plain YAML'],
    [`${HEAD}spec: *nowhere`, 'is no plain YAML'],
  ])('in a document as a whole: %s', (text, expected) => {
    const { policies, problems, warnings } = readPolicies([{ file: 'p.yaml', text }]);
    expect(policies).toEqual([]);
    const said = [...problems, ...(text === '' ? warnings : [])].map(renderProblem).join('\n');
    expect(said).toContain(text === '' ? 'has no policy in it' : expected);
  });

  it('of what multiplies by aliases is refused before it multiplies', () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}x]`);
    expect(messages(['l0: &l0 [x]', ...levels].join('\n')).join()).toContain('Excessive alias count');
  });

  it('of size is refused: files, documents, rules, nesting', () => {
    expect(messages('#'.repeat(MAX_FILE_BYTES + 1)).join()).toContain(`more than ${MAX_FILE_BYTES}`);
    expect(messages('---\na: 1\n'.repeat(257)).join()).toContain('has 257 documents, more than 256');
    expect(messages('['.repeat(100_000)).join()).toContain('is no plain YAML');
    const sources = Array.from({ length: 64 }, (_, i) => `{path: /s${i}}`).join();
    const many = Array.from({ length: 65 }, (_, i) => `{path: /p${i}, fromSource: [${sources}]}`).join();
    expect(problemsOf(`  file: {matchPaths: [${many}]}`)).toEqual([
      `spec: has ${65 * 64} rules, more than ${MAX_RULES_OF_A_POLICY}`,
    ]);
  });
});

describe('warnings', () => {
  it.each([
    ['  file: {matchPaths: [{path: /tmp/*}]}', '"/tmp/*" is compared as it stands'],
    ['  selector: {}', 'has no rule in it'],
  ])('%s', (spec, expected) => {
    const { policies, warnings } = readPolicies([{ file: 'p.yaml', text: `${HEAD}spec:\n${spec}` }]);
    expect(policies).toHaveLength(1);
    expect(warnings.map(renderProblem).join()).toContain(expected);
  });
});

describe('messages', () => {
  it('carry nothing from a policy that a terminal would obey', () => {
    const [message = ''] = messages(`${HEAD.replace('name: p', 'name: "\\e[31mred\\u202e"')}spec: {}`);
    expect(message).toMatch(/^[\x20-\x7e]*$/);
  });

  it('show the first 200 problems, and count the others', () => {
    const rules = Array.from({ length: 250 }, () => '{path: a}').join();
    const parse = (): unknown =>
      parsePolicies([{ file: 'p', text: `${HEAD}spec: {file: {matchPaths: [${rules}]}}` }]);
    expect(parse).toThrow(/and 50 more$/);
  });
});
