import './hifi-gan.test';
