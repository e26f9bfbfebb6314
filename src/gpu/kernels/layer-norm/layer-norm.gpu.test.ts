import './layer-norm.test';
