"""What PyTorch has and pyml leaves out, and why. `docs/parity.md` and `pyml.as_torch` read it.

A name that pyml has in spite of a row is not left out: rows may be wider than they must.
"""

from typing import NamedTuple

__all__ = ["FAMILIES", "Family", "absent", "family_of"]


class Family(NamedTuple):
    """Names that are left out for one reason."""

    reason: str
    cure: str
    names: dict
    """{module of torch, or "Tensor": names}"""

    @property
    def why(self):
        """The reason and the cure, as messages have them."""
        return f"{self.reason}; {self.cure}"


FAMILIES = {
    "convolution": Family(
        "pyml is for networks of dense layers",
        "use nn.Linear on nn.Flatten, or PyTorch itself",
        {
            "torch": """
                affine_grid_generator channel_shuffle conv1d conv2d conv3d
                conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
                convolution cudnn_affine_grid_generator cudnn_convolution
                cudnn_convolution_add_relu cudnn_convolution_relu
                cudnn_convolution_transpose cudnn_grid_sampler grid_sampler
                grid_sampler_2d grid_sampler_3d miopen_convolution
                miopen_convolution_add_relu miopen_convolution_relu
                miopen_convolution_transpose miopen_depthwise_convolution
                mkldnn_convolution native_channel_shuffle pixel_shuffle
                pixel_unshuffle""",
            "nn": """
                Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d
                LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
                Fold Unfold CrossMapLRN2d LocalResponseNorm PixelShuffle PixelUnshuffle
                ChannelShuffle Upsample UpsamplingBilinear2d UpsamplingNearest2d""",
            "nn.functional": """
                conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
                fold unfold local_response_norm pixel_shuffle pixel_unshuffle channel_shuffle
                native_channel_shuffle interpolate upsample upsample_bilinear upsample_nearest
                affine_grid grid_sample""",
            "nn.init": "dirac dirac_",
            "nn.utils": """
                fuse_conv_bn_eval fuse_conv_bn_weights convert_conv2d_weight_memory_format
                convert_conv3d_weight_memory_format""",
        },
    ),
    "pooling": Family(
        "pyml has no images or sequences to pool",
        "use Tensor.mean(dim) or Tensor.amax(dim), or PyTorch itself",
        {
            "torch": """
                adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d max_pool1d
                max_pool1d_with_indices max_pool2d max_pool3d
                mkldnn_adaptive_avg_pool2d mkldnn_max_pool2d mkldnn_max_pool3d""",
            "nn": """
                AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d
                AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d
                FractionalMaxPool2d FractionalMaxPool3d LPPool1d LPPool2d LPPool3d MaxPool1d
                MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d""",
            "nn.functional": """
                adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
                adaptive_max_pool1d_with_indices adaptive_max_pool2d
                adaptive_max_pool2d_with_indices adaptive_max_pool3d
                adaptive_max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d
                fractional_max_pool2d fractional_max_pool2d_with_indices fractional_max_pool3d
                fractional_max_pool3d_with_indices lp_pool1d lp_pool2d lp_pool3d max_pool1d
                max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d
                max_pool3d_with_indices max_unpool1d max_unpool2d max_unpool3d""",
        },
    ),
    "images": Family(
        "inputs of four and five dimensions are those of convolutions",
        "use the layer for (n, c) or (n, c, length) on a reshaped input, or PyTorch itself",
        {
            "nn": """
                LazyBatchNorm2d LazyBatchNorm3d InstanceNorm2d InstanceNorm3d
                LazyInstanceNorm2d LazyInstanceNorm3d Dropout2d Dropout3d Softmax2d NLLLoss2d""",
            "nn.functional": "dropout2d dropout3d",
        },
    ),
    "recurrent": Family(
        "pyml is for networks of dense layers",
        "write the step with nn.Linear in a loop, or use PyTorch itself",
        {
            "torch": """
                gru gru_cell lstm lstm_cell miopen_rnn mkldnn_rnn_layer
                rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell""",
            "nn": "RNN RNNBase RNNCell RNNCellBase LSTM LSTMCell GRU GRUCell",
            "nn.utils.rnn": """
                PackedSequence pack_padded_sequence pad_packed_sequence pack_sequence
                unpack_sequence invert_permutation""",
        },
    ),
    "attention": Family(
        "pyml is for networks of dense layers",
        "write it with nn.Linear, matmul and softmax, or use PyTorch itself",
        {
            "nn": """
                MultiheadAttention Transformer TransformerDecoder TransformerDecoderLayer
                TransformerEncoder TransformerEncoderLayer""",
            "nn.functional": "multi_head_attention_forward scaled_dot_product_attention",
        },
    ),
    "half precision": Family(
        "pyml computes in float32 and float64",
        "use float32",
        {
            "torch": """
                GradScaler autocast_decrement_nesting
                autocast_increment_nesting clear_autocast_cache
                get_autocast_cpu_dtype
                get_autocast_gpu_dtype get_autocast_ipu_dtype
                get_autocast_xla_dtype is_autocast_cache_enabled
                is_autocast_cpu_enabled
                is_autocast_ipu_enabled is_autocast_xla_enabled
                set_autocast_cache_enabled set_autocast_cpu_dtype
                set_autocast_cpu_enabled set_autocast_dtype
                set_autocast_gpu_dtype
                set_autocast_ipu_dtype set_autocast_ipu_enabled
                set_autocast_xla_dtype set_autocast_xla_enabled""",
            "nn.functional": "ScalingType SwizzleType grouped_mm scaled_grouped_mm scaled_mm",
            "nn.Module": "bfloat16 half",
            "Tensor": "bfloat16 half",
        },
    ),
    "sparse": Family(
        "pyml has dense tensors alone",
        "use dense tensors; an index into a dense table costs what its rows cost",
        {
            "torch": """
                ccol_indices_copy col_indices_copy crow_indices_copy dsmm hsmm
                hspmm indices_copy resize_as_sparse_ row_indices_copy saddmm
                smm sparse_bsc_tensor sparse_bsr_tensor
                sparse_compressed_tensor sparse_coo_tensor sparse_csc_tensor
                sparse_csr_tensor spmm sspaddmm values_copy""",
            "optim": "SparseAdam",
            "Tensor": """
                ccol_indices coalesce col_indices crow_indices dense_dim indices is_coalesced
                resize_as_sparse_ row_indices smm sparse_dim sparse_mask sparse_resize_
                sparse_resize_and_clear_ sspaddmm to_sparse to_sparse_bsc to_sparse_bsr
                to_sparse_coo to_sparse_csc to_sparse_csr values to_dense to_mkldnn
                to_padded_tensor""",
        },
    ),
    "quantised": Family(
        "pyml computes in float32 and float64",
        "use float32",
        {
            "torch": """
                choose_qparams_optimized dequantize empty_quantized
                fake_quantize_per_channel_affine
                fake_quantize_per_tensor_affine fbgemm_linear_fp16_weight
                fbgemm_linear_fp16_weight_fp32_activation
                fbgemm_linear_int8_weight
                fbgemm_linear_int8_weight_fp32_activation
                fbgemm_linear_quantize_weight fbgemm_pack_gemm_matrix_fp16
                fbgemm_pack_quantized_matrix fused_moving_avg_obs_fake_quant
                int_repr q_per_channel_axis q_per_channel_scales
                q_per_channel_zero_points q_scale q_zero_point
                quantize_per_channel quantize_per_tensor
                quantize_per_tensor_dynamic quantized_batch_norm
                quantized_gru_cell quantized_lstm_cell quantized_max_pool1d
                quantized_max_pool2d quantized_max_pool3d
                quantized_rnn_relu_cell quantized_rnn_tanh_cell""",
            "Tensor": """
                dequantize int_repr q_per_channel_axis q_per_channel_scales
                q_per_channel_zero_points q_scale q_zero_point qscheme""",
        },
    ),
    "complex": Family(
        "pyml has no complex numbers",
        "keep the real and the imaginary part in two tensors",
        {
            "torch": """
                adjoint angle complex conj conj_physical conj_physical_ imag
                is_conj is_neg isreal istft polar real resolve_conj
                resolve_neg stft view_as_complex view_as_complex_copy
                view_as_real view_as_real_copy""",
            "linalg": "eig eigvals",
            "Tensor": """
                adjoint angle cdouble cfloat chalf conj conj_physical conj_physical_ imag
                is_conj is_neg isreal istft real resolve_conj resolve_neg stft vdot""",
        },
    ),
    "device": Family(
        "pyml runs on the CPU alone",
        "leave it out: every tensor is on the CPU",
        {
            "torch": "get_device_module is_vulkan_available",
            "nn.Module": "cuda ipu mtia xpu",
            "Tensor": """
                cuda ipu is_ipu is_maia is_mtia is_vulkan is_xla is_xpu is_mkldnn mtia pin_memory
                is_pinned record_stream xpu get_device""",
        },
    ),
    "special functions": Family(
        "networks and their statistics have no need of it",
        "SciPy has it: compute it of Tensor.numpy()",
        {
            "special": """
                airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0
                modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0
                scaled_modified_bessel_k1 spherical_bessel_j0""",
        },
    ),
    "factors": Family(
        "NumPy's LAPACK does not have it",
        "use linalg.qr, linalg.eigh or linalg.cholesky",
        {
            "torch": "geqrf lobpcg orgqr ormqr",
            "linalg": "ldl_factor ldl_factor_ex ldl_solve",
        },
    ),
    "programs": Family(
        "pyml keeps no graph of a program",
        "write it in Python; pyml.record makes steps fast",
        {
            "torch": """
                SymBool SymFloat SymInt compile cond fork import_ir_module
                import_ir_module_from_buffer merge_type_from_type_comment
                parse_ir parse_schema parse_type_comment sym_constrain_range
                sym_constrain_range_for_size sym_float sym_fresh_size sym_int
                sym_ite sym_max sym_min sym_not sym_sqrt sym_sum
                unify_type_list wait""",
        },
    ),
    "distributed": Family(
        "data parallel is pyml.distributed, by processes, with threads in kernels",
        "use the module itself",
        {
            "torch": "is_distributed",
            "nn": "DataParallel",
            "nn.parallel": "DistributedDataParallel",
            "Tensor": "is_distributed",
        },
    ),
    "saved tensors": Family(
        "what backward needs and was changed is an error, never copied in silence",
        "use .clone() before the change in place",
        {"autograd.graph": "allow_mutation_on_saved_tensors"},
    ),
    "data pipes": Family(
        "PyTorch develops them no further",
        "use a Dataset or an IterableDataset",
        {
            "utils.data": """
                DFIterDataPipe DataChunk IterDataPipe MapDataPipe argument_validation
                functional_datapipe guaranteed_datapipes_determinism non_deterministic
                runtime_validation runtime_validation_disabled""",
        },
    ),
    "storage": Family(
        "memory is NumPy's",
        "Tensor.numpy() shows it",
        {
            "torch": """
                BoolStorage ByteStorage CharStorage DoubleStorage FloatStorage
                IntStorage LongStorage ShortStorage TypedStorage
                UntypedStorage from_file is_storage""",
            "Tensor": """
                is_set_to storage storage_type untyped_storage
                const_data_ptr as_subclass module_load layout""",
        },
    ),
    "names of dimensions": Family(
        "PyTorch has them as a prototype and develops them no further",
        "use the numbers of dimensions",
        {"Tensor": "name"},
    ),
    "deprecated": Family(
        "PyTorch has it for old programs alone",
        "use the name that PyTorch's page gives",
        {
            "torch": "range",
            "nn": "Container",
            "autograd": "variable NestedIOFunction",
            "Tensor": """
                symeig lstsq solve eig volatile reinforce map_ map2_ apply_ output_nr resize
                resize_as geqrf orgqr ormqr""",
        },
    ),
    "machinery": Family(
        "it is of PyTorch's inside",
        "PyTorch itself has it",
        {
            "torch": """
                alias_copy alpha_dropout alpha_dropout_ as_strided_copy
                batch_norm batch_norm_backward_elemt
                batch_norm_backward_reduce batch_norm_elemt
                batch_norm_gather_stats batch_norm_gather_stats_with_counts
                batch_norm_stats batch_norm_update_stats bilinear
                binary_cross_entropy_with_logits constant_pad_nd
                cosine_embedding_loss ctc_loss cudnn_batch_norm
                cudnn_is_acceptable detach_copy diagonal_copy dropout_
                embedding embedding_bag embedding_renorm_ expand_copy
                feature_alpha_dropout feature_alpha_dropout_ feature_dropout
                feature_dropout_ frobenius_norm group_norm hash_tensor
                hinge_embedding_loss init_num_threads instance_norm
                is_warn_always_enabled kl_div layer_norm margin_ranking_loss
                miopen_batch_norm miopen_ctc_loss
                mkldnn_linear_backward_weights native_batch_norm
                native_dropout native_group_norm native_layer_norm native_norm
                norm_except_dim nuclear_norm permute_copy poisson_nll_loss
                rms_norm select_copy set_warn_always
                slice_copy slice_inverse split_copy split_with_sizes_copy
                squeeze_copy t_copy thread_safe_generator transpose_copy
                triplet_margin_loss unbind_copy unfold_copy
                unsqueeze_copy view_copy""",
            "nn": "factory_kwargs",
            "nn.Module": "T_destination call_super_init dump_patches",
            "nn.functional": "assert_int_or_pair",
            "optim": "swap_in_optimizer_params_and_state",
            "autograd": "enforce_grad_layout_policy set_multithreading_enabled",
            "autograd.graph": """
                region_activation_memory_budget
                set_override_stale_capture_stream set_warn_on_accumulate_grad_stream_mismatch""",
            "func": """
                debug_unwrap functionalize rearrange replace_all_batch_norm_modules_""",
            "Tensor": "grad_dtype hash_tensor index slice_inverse",
        },
    ),
}  # fmt: skip


def family_of(module, name):
    """The name of the family for which `name` of torch's `module` is left out; None for none."""
    for family, row in FAMILIES.items():
        if name in row.names.get(module, "").split():
            return family
    return None


def absent(module, name):
    """The AttributeError for a name that a module lacks; with the reason if it is left out.

    Of a name that is near to one that is there, Python itself says "Did you mean".
    """
    text = f"module {module!r} has no attribute {name!r}"
    family = family_of("torch" if module == "pyml" else module.removeprefix("pyml."), name)
    return AttributeError(text if family is None else f"{text}: {FAMILIES[family].why}")
