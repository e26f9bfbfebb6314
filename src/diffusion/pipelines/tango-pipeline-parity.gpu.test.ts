import './tango-pipeline-parity.test';
