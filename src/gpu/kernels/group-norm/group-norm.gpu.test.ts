import './group-norm.test';
