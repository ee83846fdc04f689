// One broker of a test's own behind a proxy that breaks things; the test itself goes past the proxy.

import { OwnKafka, type OwnKafkaOptions } from '@alert-throttle/test-kit';

import { KafkaProxy } from './kafka-proxy.ts';
import { Scenario, type ScenarioOptions } from './scenario.ts';

export type ProxiedKafkaOptions = Pick<OwnKafkaOptions, 'properties'> &
  Pick<ScenarioOptions, 'partitions' | 'limits'>;

export class ProxiedKafka {
  readonly proxy: KafkaProxy;
  readonly kafka: OwnKafka;
  readonly scenario: Scenario;

  private constructor(proxy: KafkaProxy, kafka: OwnKafka, scenario: Scenario) {
    this.proxy = proxy;
    this.kafka = kafka;
    this.scenario = scenario;
  }

  static async start({ properties, ...options }: ProxiedKafkaOptions = {}): Promise<ProxiedKafka> {
    const proxy = await KafkaProxy.start();
    const kafka = await OwnKafka.start({ proxies: [proxy.port], ...(properties && { properties }) });
    proxy.target = kafka.broker.proxiedAddress;
    const { replication } = kafka;
    const scenario = await Scenario.create({
      ...options,
      kafka: { client: kafka.client(), brokers: [proxy.address], replication },
    });
    return new ProxiedKafka(proxy, kafka, scenario);
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.scenario.close();
    await this.kafka.close();
  }
}
