import './weight-tensor.test';
