/** One process that is broker and controller, alone in its cluster, as server.properties has it. */
export interface SingleNode {
  /** The address that it listens on, as `host:port`. Without a host it is every address. */
  readonly listen: string;
  /** The address that clients receive. */
  readonly advertised: string;
  readonly controller: string;
  /** How long the controller waits for a broker that is silent, in milliseconds. */
  readonly sessionMs: number;
}

export function singleNode({ listen, advertised, controller, sessionMs }: SingleNode): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://${listen},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://${advertised}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'broker.session.timeout.ms': String(sessionMs),
    'broker.heartbeat.interval.ms': String(Math.min(2000, Math.floor(sessionMs / 4))),
    // Tests create the topics that they need. Groups form at once.
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
  };
}
