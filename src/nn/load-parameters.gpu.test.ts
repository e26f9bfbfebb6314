import './load-parameters.test';
