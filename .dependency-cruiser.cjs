// Who may import whom. A test plants a violation of each rule and expects it to be found (test/house/boundaries.test.ts).
const DECIDERS = '^libs/((capability|task|calls|directive|instance|policy|principal|publisher)/|fleet/rollouts)';
const PURE = `${DECIDERS}|^libs/(vocabulary|decision)/`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'nothing-imports-apps',
      comment: 'libs know nothing of the apps that are made of them',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'apps-stand-alone',
      comment: 'the command line speaks to the service over the wire alone',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'kernel-imports-nothing',
      severity: 'error',
      from: { path: '^libs/kernel/', pathNot: '\\.test\\.ts$' },
      to: { path: '^libs/', pathNot: '^libs/kernel/' },
    },
    {
      name: 'rules-are-pure',
      comment: 'deciders and decision: no framework, no log, no I/O; ids and time come in with the command',
      severity: 'error',
      from: { path: PURE, pathNot: '\\.test\\.ts$' },
      to: {
        path: [
          '^libs/(event-log|payloads|streams|control|decision-point|audit|feed|siem|transparency|host)/',
          '@nestjs/',
          '^(node:)?(fs|net|http|https|child_process|worker_threads|sqlite|timers|process|os)(/|$)',
        ],
      },
    },
    {
      name: 'rules-have-no-randomness',
      severity: 'error',
      from: { path: PURE, pathNot: '\\.test\\.ts$' },
      to: { path: '^(node:)?crypto$' },
    },
    {
      name: 'proofs-are-pure',
      comment: 'sallyport verify uses the same code offline: no log, no file, no clock, no randomness',
      severity: 'error',
      from: { path: '^libs/transparency/', pathNot: '\\.test\\.ts$' },
      to: {
        path: ['^libs/', '^(node:)?(fs|net|http|https|child_process|worker_threads|sqlite|timers|process|os)(/|$)'],
        pathNot: '^libs/(kernel|transparency)/',
      },
    },
    {
      name: 'adapters-stand-alone',
      comment: 'an adapter of the event log knows the port, never another adapter',
      severity: 'error',
      from: { path: '^libs/event-log/(memory|sqlite)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^libs/event-log/(memory|sqlite)/', pathNot: '^libs/event-log/$1/' },
    },
    {
      name: 'adapters-are-composed-in-apps',
      comment: 'only the composition root, and tests, name an adapter',
      severity: 'error',
      from: { path: '^libs/', pathNot: ['\\.test\\.ts$', '^libs/event-log/(memory|sqlite)/'] },
      to: { path: '^libs/event-log/(memory|sqlite)/' },
    },
    {
      name: 'kafka-is-behind-one-library',
      comment: 'whoever needs brokers asks libs/kafka, which knows what its client gets wrong',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['\\.test\\.ts$', '^libs/kafka/'] },
      to: { path: '(^|/)node_modules/kafkajs/' },
    },
    {
      name: 'deciders-know-no-decision',
      severity: 'error',
      from: { path: DECIDERS, pathNot: '\\.test\\.ts$' },
      to: { path: '^libs/decision/' },
    },
    {
      name: 'catalogue-knows-rules-alone',
      comment: 'the catalogue imports deciders and the port of the event log, so that every room may read through it',
      severity: 'error',
      from: { path: '^libs/streams/', pathNot: '\\.test\\.ts$' },
      to: { path: '^libs/', pathNot: [DECIDERS, '^libs/(kernel|vocabulary|streams)/', '^libs/event-log/[^/]+$'] },
    },
    {
      name: 'logs-know-no-catalogue',
      comment: 'a store takes any event: it knows categories by their names, and no rules',
      severity: 'error',
      from: { path: '^libs/event-log/', pathNot: '\\.test\\.ts$' },
      to: { path: [DECIDERS, '^libs/streams/'] },
    },
    {
      name: 'hosts-stand-alone',
      comment: 'what runs in an agent host holds nothing of the service: no log, no deciding, no Nest',
      severity: 'error',
      from: { path: '^libs/(host|feed|wire|mcp|contract)/', pathNot: '\\.test\\.ts$' },
      to: {
        path: [
          '^libs/(event-log/(memory|sqlite)|streams|control|decision-point|decision|payloads|audit)/',
          '@nestjs/',
          '^apps/',
        ],
      },
    },
    {
      name: 'no-frameworks-in-libs',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '(@nestjs/|node_modules/fastify/)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^libs/host/dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
