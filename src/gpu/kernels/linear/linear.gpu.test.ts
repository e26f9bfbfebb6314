import './linear.test';
